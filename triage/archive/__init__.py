"""An archive: letters by the hundred thousand come in as files, and go out as decisions."""
