// Draws the report's charts from the page's own numbers. Names become text on a canvas or text nodes, never markup.
(() => {
  "use strict";
  const found = JSON.parse(document.getElementById("charts").textContent);
  const INK = "#1f2326", SOFT = "#5b6268", LINE = "#d8dcdf", NEW = "#0072b2", PALE = "#8fbdd9", LIVE = "#d55e00";
  const RIGHT = { colours: ["#e3eef6", "#b5d4e9", "#7db4d8", "#3f8fc2", "#0b5f99"], bounds: [0.5, 0.7, 0.85, 0.95] };
  const WRONG = { colours: ["#fdeadb", "#f9c9a3", "#f09a5c", "#d96a1c", "#98430a"], bounds: [0.02, 0.05, 0.1, 0.25] };
  const PRINTED = 660; // pixels between the margins of A4
  const PAGE = 760; // pixels of bars that fit its height
  const MANY = 20; // categories: with more the matrix can be enlarged
  const LONG = 24; // characters of a name on an axis; the tip has all of it
  const ROWS = 60; // bars in view
  const font = getComputedStyle(document.documentElement).fontFamily;
  const percent = (share) => (share === null ? "—" : `${(share * 100).toFixed(1)}%`);
  const whole = (share) => `${Math.round(share * 100)}%`;
  const narrow = (chart) => chart.getWidth() < 480;
  const drawn = [];
  const short = (i) => (found.names[i].length > LONG ? `${found.names[i].slice(0, LONG - 1)}…` : found.names[i]);

  const slider = (more) => ({
    type: "slider", showDetail: false, filterMode: "none", brushSelect: false, borderColor: "transparent", backgroundColor: "#f1f3f4", fillerColor: "#cfd6da", showDataShadow: false,
    handleStyle: { color: "#fff", borderColor: SOFT }, moveHandleSize: 0, emphasis: { handleStyle: { color: "#fff", borderColor: NEW } }, ...more,
  });
  const stacked = (name) => (name.length > 10 ? `${name.slice(0, 9)}⋮` : name).split("").join("\n");

  function tip(title, ...lines) {
    const box = document.createElement("div");
    box.className = "tip";
    const head = box.appendChild(document.createElement("b"));
    head.textContent = title;
    for (const line of lines) box.appendChild(document.createElement("div")).textContent = line;
    return box;
  }

  const common = () => ({
    animation: false,
    textStyle: { fontFamily: font, color: INK },
    tooltip: { confine: true, borderColor: LINE, padding: [8, 12], extraCssText: "white-space: normal; box-shadow: none;" },
  });
  const shares = (name, more) => ({
    type: "value", min: 0, max: 1, name, nameLocation: "middle", nameGap: 30, nameTextStyle: { color: SOFT },
    axisLabel: { color: SOFT, formatter: whole }, axisLine: { show: false }, axisTick: { show: false }, splitLine: { lineStyle: { color: "#eceff1" } }, ...more,
  });
  const legend = () => ({ top: 0, left: 0, itemWidth: 16, itemHeight: 10, textStyle: { color: SOFT }, data: found.live ? ["新模型", "现用模型"] : ["新模型"] });

  // A chart is an element, its height at a width (on paper or not), and its options at that width.
  function draw(id, height, options) {
    const place = document.getElementById(id);
    const fill = (printed) => {
      echarts.getInstanceByDom(place)?.dispose();
      const width = printed || place.clientWidth;
      place.style.height = `${height(width, Boolean(printed))}px`;
      const chart = echarts.init(place, null, { width, height: height(width, Boolean(printed)), renderer: "svg" }); // sharp on paper
      chart.setOption({ ...common(), ...options(chart) });
      chart.getZr().flush(); // paper does not wait for the next frame
    };
    fill();
    drawn.push(fill);
    return fill;
  }

  function matrix() {
    const names = found.names, count = names.length, many = count > MANY;
    const side = (width) => (width < 560 ? 76 : 124);
    const top = count <= 12 ? 56 : 124;
    const height = (width) => Math.min(860, Math.max(260, width - side(width))) + top + (many ? 34 : 6);
    const axis = (room, more) => ({
      type: "category", data: names.map((_, i) => i), splitArea: { show: false }, splitLine: { show: count <= 60, lineStyle: { color: "#f0f2f3" } },
      axisLine: { lineStyle: { color: LINE } }, axisTick: { show: false }, ...more,
      axisLabel: { color: INK, fontSize: count > 30 ? 10 : 12, width: room - 10, overflow: count <= 12 ? "break" : "truncate", lineHeight: 15, formatter: short, ...more.axisLabel },
    });
    const pieces = ({ colours, bounds }) => colours.map((color, i) => ({ color, gt: bounds[i - 1] ?? -1, lte: bounds[i] ?? 1 }));
    const upright = names.every((name) => /\p{Script=Han}/u.test(name)); // Chinese is read from top to bottom as well
    const column = (i) => upright && count > 12 ? stacked(names[i]) : short(i);
    const cells = (kept, { bounds }) => found.matrix.filter(kept).map((value) => ({ value, label: { color: value[3] > bounds[3] ? "#fff" : INK } }));
    const series = (name, data) => ({
      name, type: "heatmap", data, progressive: 0, itemStyle: { borderWidth: count <= 60 ? 1 : 0, borderColor: "#fff" }, emphasis: { itemStyle: { borderColor: INK, borderWidth: 1 } },
      label: { show: count <= 12, fontSize: 12, formatter: ({ value }) => value[2] },
    });
    const map = (seriesIndex, shades) => ({ type: "piecewise", seriesIndex, dimension: 3, pieces: pieces(shades), show: false });
    const columns = (width, room) => {
      if (count <= 12) return { width: (width - room) / count - 8, overflow: "break" };
      return upright ? { width: 14, overflow: "none", lineHeight: 11, padding: 0 } : { rotate: 90 };
    };
    draw("matrix", height, (chart) => {
      const width = chart.getWidth(), room = side(width);
      const ends = many ? [
        slider({ xAxisIndex: 0, bottom: 6, height: 14 }),
        slider({ yAxisIndex: 0, right: 4, width: 14 }),
        { type: "inside", xAxisIndex: 0, zoomOnMouseWheel: "ctrl", filterMode: "none" },
        { type: "inside", yAxisIndex: 0, zoomOnMouseWheel: "ctrl", filterMode: "none" },
      ] : [];
      const every = count <= 12 || (count <= 60 && width >= 560) ? 0 : "auto";
      return {
        grid: { left: room, right: many ? 30 : 6, top: top, bottom: many ? 34 : 6, outerBoundsMode: "none" },
        xAxis: axis(room, { position: "top", axisLabel: { interval: every, formatter: column, ...columns(width, room) } }),
        yAxis: axis(room, { inverse: true, axisLabel: { interval: every } }),
        visualMap: [map(0, RIGHT), map(1, WRONG)],
        dataZoom: ends,
        series: [series("分对", cells(([x, y]) => x === y, RIGHT)), series("分错", cells(([x, y]) => x !== y, WRONG))],
        tooltip: { ...common().tooltip, formatter: ({ value: [x, y, letters, share] }) => x === y
          ? tip(names[y], `分对 ${letters} 封`, `占该类来信的 ${percent(share)}`)
          : tip(names[y], `误作：${names[x]}`, `${letters} 封，占该类来信的 ${percent(share)}`) },
      };
    });
  }

  function reliability() {
    const most = Math.max(1, ...found.candidate.reliability.map((row) => row[2]));
    const points = (name, rows, colour, more) => ({
      name, type: "line", data: rows, lineStyle: { color: colour, width: 1.5 }, itemStyle: { color: colour }, symbol: "circle",
      symbolSize: ([, , letters]) => 5 + 9 * Math.sqrt(letters / most), ...more,
    });
    draw("reliability", () => 400, () => ({
      legend: legend(),
      grid: [{ left: 76, right: 20, top: 34, bottom: 126, outerBoundsMode: "none" }, { left: 76, right: 20, height: 52, bottom: 46, outerBoundsMode: "none" }],
      xAxis: [shares("", { gridIndex: 0, axisLabel: { show: false } }), shares("说出的把握", { gridIndex: 1, splitLine: { show: false }, containShape: false })],
      yAxis: [
        shares("实际分对", { gridIndex: 0, nameGap: 40 }),
        { type: "value", gridIndex: 1, name: "封数", nameLocation: "middle", nameGap: 40, nameTextStyle: { color: SOFT }, splitNumber: 1, axisLabel: { show: false }, splitLine: { show: false }, axisLine: { show: false }, axisTick: { show: false } },
      ],
      series: [
        { type: "line", data: [[0, 0], [1, 1]], symbol: "none", silent: true, tooltip: { show: false }, lineStyle: { color: "#8a9197", type: "dashed", width: 1 } },
        ...(found.live ? [points("现用模型", found.live.reliability, LIVE, { symbol: "emptyCircle", lineStyle: { color: LIVE, width: 1, type: "dotted" } })] : []),
        points("新模型", found.candidate.reliability, NEW),
        { name: "封数", type: "bar", xAxisIndex: 1, yAxisIndex: 1, barWidth: 14, itemStyle: { color: PALE }, data: found.candidate.reliability.map(([p, , n]) => [p, n]),
          label: { show: true, position: "top", color: SOFT, fontSize: 11, formatter: ({ data }) => data[1].toLocaleString() } },
      ],
      tooltip: { ...common().tooltip, formatter: ({ seriesName, data }) => seriesName === "封数"
        ? tip(`把握 ${percent(data[0])} 左右`, `${data[1].toLocaleString()} 封`)
        : tip(seriesName, `说有 ${percent(data[0])} 的把握`, `实际分对 ${percent(data[1])}`, `${data[2].toLocaleString()} 封`) },
    }));
  }

  function bySharesSent() {
    const all = [...found.candidate.shares, ...(found.live ? found.live.shares : [])].map((point) => point[1]).filter((value) => value !== null);
    const lowest = Math.max(0, Math.floor(Math.min(0.9, ...all, ...found.targets) * 10) / 10);
    const line = (name, data, colour, more) => ({ name, type: "line", data, symbol: "none", lineStyle: { color: colour, width: 2, ...more }, itemStyle: { color: colour } });
    const targets = found.targets.map((target) => ({ yAxis: target, label: { formatter: whole(target) } }));
    draw("shares", () => 400, () => ({
      legend: legend(),
      grid: { left: 76, right: 44, top: 34, bottom: 46, outerBoundsMode: "none" },
      xAxis: shares("直接分办的比例"),
      yAxis: shares("其中分对", { min: lowest, interval: lowest < 0.5 ? 0.1 : 0.05, nameGap: 40 }),
      series: [
        ...(found.live ? [line("现用模型", found.live.shares, LIVE, { type: "dotted" })] : []),
        { ...line("新模型", found.candidate.shares, NEW), markLine: { silent: true, symbol: "none", data: targets, label: { color: SOFT }, lineStyle: { color: "#8a9197", type: "dashed", width: 1 } } },
      ],
      tooltip: { ...common().tooltip, trigger: "axis", axisPointer: { type: "line", label: { show: false } },
        formatter: (rows) => tip(`直接分办 ${percent(rows[0].data[0])}`, ...rows.map((row) => `${row.seriesName} 分对 ${percent(row.data[1])}`)) },
    }));
  }

  const SORTS = {
    letters: (i) => -found.letters[i],
    recall: (i) => found.candidate.recall[i] ?? 2,
    precision: (i) => found.candidate.precision[i] ?? 2,
    fell: (i) => Math.min(...["recall", "precision"].map((side) => (found.live[side][i] === null || found.candidate[side][i] === null ? 2 : found.candidate[side][i] - found.live[side][i]))),
  };

  function bars(side, chosen) {
    const count = found.names.length, shown = Math.min(count, ROWS);
    return draw(side, (_, printed) => shown * (printed ? Math.min(20, PAGE / shown) : 20) + 64, (chart) => {
      const rows = found.names.map((_, i) => i).sort((a, b) => SORTS[chosen.sort](a) - SORTS[chosen.sort](b));
      const room = narrow(chart) ? 104 : 150, many = count > ROWS;
      const live = found.live && { name: "现用模型", type: "scatter", data: rows.map((i) => found.live[side][i]), symbol: "rect", symbolSize: [3, 15], itemStyle: { color: LIVE, opacity: 1 }, z: 3 };
      return {
        legend: legend(),
        grid: { left: room, right: many ? 40 : 20, top: 30, bottom: 26, outerBoundsMode: "none" },
        xAxis: shares(""),
        yAxis: { type: "category", inverse: true, data: rows, axisLine: { lineStyle: { color: LINE } }, axisTick: { show: false },
          axisLabel: { interval: 0, color: INK, fontSize: 12, width: room - 12, overflow: "truncate", formatter: short } },
        dataZoom: many ? [slider({ yAxisIndex: 0, right: 4, width: 14, startValue: 0, endValue: ROWS - 1, zoomLock: true, filterMode: "filter" })] : [],
        series: [
          { name: "新模型", type: "bar", barWidth: 11, itemStyle: { color: NEW }, data: rows.map((i) => ({ value: candidate(side, i), itemStyle: { color: found.letters[i] < found.few ? PALE : NEW } })) },
          ...(live ? [live] : []),
        ],
        tooltip: { ...common().tooltip, trigger: "axis", axisPointer: { type: "shadow", shadowStyle: { color: "rgba(0, 0, 0, .04)" } },
          formatter: ([{ dataIndex }]) => { const i = rows[dataIndex]; return tip(found.names[i], `新模型 ${percent(found.candidate[side][i])}`, ...(found.live ? [`现用模型 ${percent(found.live[side][i])}`] : []), `检验用来信 ${found.letters[i].toLocaleString()} 封`); } },
      };
    });
  }
  const candidate = (side, i) => found.candidate[side][i];

  function categories() {
    const chosen = { sort: "letters" };
    const fills = [bars("recall", chosen), bars("precision", chosen)];
    document.querySelector(".sort").addEventListener("change", (event) => {
      chosen.sort = event.target.value;
      for (const fill of fills) fill();
    });
  }

  document.documentElement.classList.add("drawn");
  matrix();
  reliability();
  bySharesSent();
  categories();

  let waiting = 0;
  const paper = window.matchMedia("print");
  window.addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { if (!paper.matches) for (const fill of drawn) fill(); }, 150);
  });
  window.addEventListener("beforeprint", () => { for (const fill of drawn) fill(PRINTED); });
  window.addEventListener("afterprint", () => { for (const fill of drawn) fill(); });
})();
