// Filters of the tables, and learning curves that answer to the pointer. Without this script every row shows, and
// the curves stand in small panels, as they do in print.
(() => {
  "use strict";
  const page = document.documentElement;
  const data = JSON.parse(document.getElementById("data").textContent);
  page.classList.add("js");

  // ------------------------------------------------------------------------------------------- filters

  const form = document.getElementById("filters");
  const rows = [...document.querySelectorAll("tr[data-pair]")];
  const all = new Set(rows.map((row) => row.dataset.pair)).size;

  function filter() {
    const wanted = Object.fromEntries(new FormData(form));
    const shown = new Set();
    for (const row of rows) {
      const fits = Object.entries(wanted).every(([key, value]) => value === "" || row.dataset[key] === value);
      row.hidden = !fits;
      if (fits) shown.add(row.dataset.pair);
    }
    document.getElementById("shown").textContent = shown.size === all ? `all ${all} pairs` : `${shown.size} of ${all} pairs`;
  }

  if (form && all > 1) {
    form.hidden = false;
    form.addEventListener("change", filter);
    form.addEventListener("reset", () => setTimeout(filter));
    form.addEventListener("submit", (event) => event.preventDefault());
    filter();
  }

  // -------------------------------------------------------------------------------------------- charts

  const DASHES = [[], [7, 4], [2, 3], [9, 3, 2, 3]];
  const places = {
    linear: (value) => value,
    log: (value) => (value > 0 ? Math.log10(value) : null),
    stretched: (value, axis) => -Math.log10(Math.max(1 - value, axis.nearest)),
    symlog: (value, { centre, unit }) => Math.sign(value - centre) * Math.log1p(Math.abs(value - centre) / unit),
  };
  const place = (axis, value) =>
    value === null ? null : Math.min(Math.max(places[axis.kind](value, axis), axis.low), axis.high);

  function written(chart, value) {
    if (value === null || value === undefined) return "–";
    if (chart.digits === undefined) return value.toPrecision(3);
    const shown = chart.percent ? 100 * value : value;
    const number = Math.abs(shown) >= 1e6 ? shown.toPrecision(3) : shown.toFixed(chart.digits);
    return number.replace("-", "−") + chart.unit;
  }

  function bands(chart, colours) {
    return (plot) => {
      const { ctx } = plot;
      ctx.save();
      ctx.beginPath();
      ctx.rect(plot.bbox.left, plot.bbox.top, plot.bbox.width, plot.bbox.height);
      ctx.clip();
      chart.series.forEach((series, index) => {
        if (!series.low || !plot.series[index + 1].show) return;
        const edge = (values) => values.map((value) => plot.valToPos(place(chart.axis, value), "y", true));
        const across = chart.epochs.map((epoch) => plot.valToPos(epoch, "x", true));
        const low = edge(series.low), high = edge(series.high);
        ctx.beginPath();
        across.forEach((x, i) => (i ? ctx.lineTo(x, high[i]) : ctx.moveTo(x, high[i])));
        for (let i = across.length - 1; i >= 0; i--) ctx.lineTo(across[i], low[i]);
        ctx.globalAlpha = 0.13;
        ctx.fillStyle = colours[index];
        ctx.fill();
      });
      ctx.restore();
    };
  }

  function draw(chart) {
    const home = document.getElementById(chart.id);
    const style = getComputedStyle(page);
    const token = (name) => style.getPropertyValue(`--${name}`).trim();
    const colours = chart.series.map((series) => token(`c${series.place % 8}`));
    const font = `12px ${token("sans")}`;
    const last = chart.epochs.length - 1;
    const axis = { stroke: token("soft"), font, grid: { stroke: token("line"), width: 1 }, ticks: { show: false } };
    const room = ({ ctx }, labels) => {
      if (!labels?.length) return 62;
      ctx.save();
      ctx.font = font;
      const widest = Math.max(...labels.map((label) => ctx.measureText(label).width));
      ctx.restore();
      return Math.max(62, Math.ceil(widest) + 14); // uPlot sets labels 5 pixels from the axis
    };
    home.replaceChildren();
    const rest = (plot) => plot.setLegend({ idxs: plot.series.map(() => last) });
    const plot = new uPlot(
      {
        width: home.clientWidth,
        height: 270,
        scales: {
          x: { time: false, range: last ? [chart.epochs[0], chart.epochs[last]] : [0, 2] },
          y: { range: [chart.axis.low, chart.axis.high] },
        },
        axes: [
          { ...axis, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000], size: 34 },
          {
            ...axis,
            size: room,
            splits: chart.axis.ticks.map(([at]) => at),
            values: () => chart.axis.ticks.map(([, label]) => label),
          },
        ],
        series: [
          { label: "epoch" },
          ...chart.series.map((series, index) => ({
            label: series.name,
            stroke: colours[index],
            width: 2,
            dash: DASHES[Math.floor(series.place / 8) % DASHES.length],
            points: { show: last === 0, size: 8 },
            value: (_, value, __, at) => (at === null ? "–" : written(chart, series.mean[at])),
          })),
        ],
        cursor: { drag: { x: false, y: false }, focus: { prox: 24 }, y: false },
        focus: { alpha: 0.25 },
        hooks: { drawAxes: [bands(chart, colours)], ready: [rest] },
      },
      [chart.epochs, ...chart.series.map((series) => series.mean.map((value) => place(chart.axis, value)))],
      home,
    );
    plot.over.addEventListener("mouseleave", () => setTimeout(rest, 0, plot));
    home.querySelectorAll(".u-series:not(:first-child) th").forEach((name) => {
      name.tabIndex = 0;
      name.setAttribute("role", "button");
      name.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          name.click();
        }
      });
    });
    return plot;
  }

  let plots = data.charts.map(draw);
  const widths = new ResizeObserver(() => {
    plots.forEach((plot, index) => {
      const width = document.getElementById(data.charts[index].id).clientWidth;
      if (width && width !== plot.width) plot.setSize({ width, height: plot.height });
    });
  });
  data.charts.forEach((chart) => widths.observe(document.getElementById(chart.id)));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    plots.forEach((plot) => plot.destroy());
    plots = data.charts.map(draw);
  });
})();
