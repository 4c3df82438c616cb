"use strict";
// Draws what is in #data with plotly. Text of strangers goes through `safe`: plotly reads tags in its texts.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const safe = (text) => String(text).replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]);
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const config = { displayModeBar: false, responsive: true, doubleClick: "reset" };
  const narrow = () => innerWidth < 640;
  const seconds = (s) => (s < 1 ? Math.round(s * 1000) + " ms" : (s < 10 ? Number(s.toFixed(2)) : Math.round(s)) + " s");
  const LOG_TICKS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000];
  const SYMBOLS = { ok: "circle", error: "x", timeout: "triangle-up", hung: "triangle-down", unfinished: "square-open" };
  const colourOf = (outcome) =>
    style({ ok: "--ok", error: "--error", timeout: "--timeout", hung: "--timeout", unfinished: "--dim" }[outcome] || "--silent");
  const servers = Object.keys(data.curves.served).filter((name) => name !== "nobody");
  const serverColour = (name) => (name === "nobody" ? style("--nobody") : style("--server-" + (1 + (servers.indexOf(name) % 6))));

  const base = (height) => ({
    height,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: style("--ink"), size: narrow() ? 11 : 12, family: 'system-ui, "DejaVu Sans", sans-serif' },
    hoverlabel: { bgcolor: style("--card"), bordercolor: style("--line"), font: { color: style("--ink") }, align: "left" },
    showlegend: false,
    hovermode: "closest",
    dragmode: "zoom",
  });
  const axis = (more) => ({ gridcolor: style("--line"), zerolinecolor: style("--line"), linecolor: style("--line"), fixedrange: true, ...more });

  // ------------------------------------------------------------------------------------------------- the timeline

  const rowsOf = () => {
    const faults = Math.max(data.faults.length, 1);
    const heights = [["faults", 26 + 44 * faults], ["served", 120], ["calls", 190], ["success", 80], ["ttft", 110], ["flight", 70]];
    const gap = narrow() ? 52 : 34;
    const total = heights.reduce((sum, [, height]) => sum + height + gap, 0);
    let top = total;
    const rows = {};
    for (const [name, height] of heights) {
      rows[name] = [(top - gap - height) / total, (top - gap) / total];
      top -= height + gap;
    }
    return { rows, total };
  };

  const legend = (names, colour, mark) => (narrow() ? "<br>" : "   ") + names.map((name) => `<span style="color:${colour(name)}">${mark(name)}</span> ${safe(name)}`).join("   ");

  // Thousands of marks are one path, which a browser draws at once; the trace beside it only knows where to point.
  const marks = (yref, strokes, line) => ({ type: "path", xref: "x", yref, path: strokes.join(""), line });

  function timeline() {
    const { rows, total } = rowsOf();
    const c = data.curves;
    const end = c.at.map((at) => at).concat(c.at.length ? [c.at[c.at.length - 1] + c.width_s] : []);
    const hold = (values) => (values.length ? values.concat([values[values.length - 1]]) : values);
    const traces = [];
    const shapes = [];
    const notes = [];
    const title = (row, text) =>
      notes.push({ xref: "paper", yref: "paper", x: 0, y: rows[row][1], xanchor: "left", yanchor: "bottom", showarrow: false, align: "left", text: "<b>" + text + "</b>" });

    title("faults", data.faults.length ? "Faults" + (narrow() ? "" : " (dashed: as planned, filled: as it was, ticks: hits)") : "No faults");
    data.faults.forEach((fault, index) => {
      const y = data.faults.length - 1 - index;
      if (fault.planned_from !== null) {
        const until = fault.planned_lasts === null ? data.to_s : fault.planned_from + fault.planned_lasts;
        shapes.push({ type: "rect", xref: "x", yref: "y", x0: fault.planned_from, x1: until, y0: y - 0.42, y1: y + 0.12, line: { color: style("--dim"), width: 1, dash: "dash" } });
      }
      if (fault.from === null) return;
      const to = fault.to === null ? data.to_s : fault.to;
      shapes.push({ type: "rect", xref: "x", yref: "y", x0: fault.from, x1: to, y0: y - 0.36, y1: y + 0.06, fillcolor: style("--band"), opacity: 0.35, line: { width: 0 }, layer: "below" });
      shapes.push({ type: "rect", xref: "x", yref: "paper", x0: fault.from, x1: to, y0: 0, y1: rows.served[1], fillcolor: style("--band"), opacity: 0.07, line: { width: 0 }, layer: "below" });
      const late = fault.from > data.from_s + 0.6 * (data.to_s - data.from_s);
      notes.push({ xref: "x", yref: "y", x: late ? to : fault.from, y: y + 0.12, xanchor: late ? "right" : "left", yanchor: "bottom", showarrow: false, text: `<b>${safe(fault.id)}</b> ${safe(fault.what)}` });
      if (fault.ticks.length) shapes.push(marks("y", fault.ticks.map((at) => `M${at},${y - 0.27}L${at},${y - 0.03}`), { width: 1, color: style("--ink") }));
      traces.push({ x: fault.ticks, y: fault.ticks.map(() => y - 0.15), yaxis: "y", mode: "none", hovertemplate: `${safe(fault.id)} hit at %{x:.2f} s<extra></extra>` });
      const span = (from, lasts, text) => {
        traces.push({ x: [from, from + lasts], y: [y - 0.44, y - 0.44], yaxis: "y", mode: "lines", line: { color: style("--good"), width: 4 }, hovertemplate: text + "<extra></extra>" });
        shapes.push({ type: "line", xref: "x", yref: "paper", x0: from + lasts, x1: from + lasts, y0: 0, y1: rows.served[1], line: { color: style("--good"), width: 1, dash: "dot" } });
        return text;
      };
      const felt = [];
      if (fault.failover !== null) felt.push(span(fault.from, fault.failover, "failover after " + seconds(fault.failover)));
      if (fault.recovery !== null && fault.to !== null) felt.push(span(fault.to, fault.recovery, "recovered after " + seconds(fault.recovery)));
      const last = Math.max(to, to + (fault.recovery || 0), fault.from + (fault.failover || 0));
      if (felt.length) notes.push({ xref: "x", yref: "y", x: late ? fault.from : last, y: y - 0.15, xanchor: late ? "right" : "left", align: "left", xshift: late ? -6 : 6, showarrow: false, font: { color: style("--good") }, text: felt.join(narrow() ? "<br>" : ", ") });
    });

    const order = [...servers, ...("nobody" in c.served ? ["nobody"] : [])];
    title("served", "Who answered, calls/s" + legend(order, serverColour, (name) => (name === "nobody" ? "▨" : "■")));
    for (const name of order) {
      traces.push({
        x: end, y: hold(c.served[name]), yaxis: "y2", stackgroup: "served", line: { shape: "hv", width: 0.5, color: serverColour(name) }, name: safe(name),
        fillcolor: serverColour(name), fillpattern: name === "nobody" ? { shape: "/", fgcolor: style("--nobody"), bgcolor: style("--paper"), size: 7, solidity: 0.45 } : undefined, hovertemplate: "%{y:.2f} calls/s answered by %{fullData.name}<extra></extra>",
      });
    }

    const p = data.points;
    title("calls", "Calls, time until their end" + legend(p.outcomes, colourOf, (name) => ({ ok: "●", error: "✕", timeout: "▲", hung: "▼" })[name] || "◆"));
    p.outcomes.forEach((outcome, number) => {
      const mine = [];
      for (let i = 0; i < p.x.length; i++) if (p.outcome[i] === number) mine.push(i);
      const y = (i) => Math.max(p.y[i], 0.001);
      if (outcome === "ok") shapes.push({ ...marks("y3", mine.map((i) => `M${p.x[i]},${y(i)}L${p.x[i]},${y(i)}`), { width: 4, color: colourOf(outcome) }), layer: "between", opacity: 0.6 });
      traces.push({
        x: mine.map((i) => p.x[i]), y: mine.map(y), yaxis: "y3", mode: outcome === "ok" ? "none" : "markers", name: outcome,
        customdata: mine.map((i) => [p.prefix + p.id[i], p.servers[p.server[i]]]), meta: "calls",
        marker: { size: 7, color: colourOf(outcome), symbol: SYMBOLS[outcome] || "diamond", opacity: 0.95, line: { width: 0 } },
        hovertemplate: "at %{x:.2f} s, took %{y:.3f} s: " + safe(outcome) + "<extra></extra>",
      });
    });

    title("success", "Success rate");
    traces.push({ x: end, y: hold(c.success), yaxis: "y4", mode: "lines", line: { shape: "hv", color: style("--good"), width: 2 }, fill: "tozeroy", fillcolor: "rgba(80,160,100,0.12)", hovertemplate: "%{y:.1%}<extra></extra>" });
    title("ttft", `Time to first token   <span style="color:${style("--server-1")}">━</span> p50   <span style="color:${style("--error")}">┅</span> p99`);
    traces.push({ x: end, y: hold(c.ttft_p50), yaxis: "y5", mode: "lines", line: { shape: "hv", color: style("--server-1"), width: 2 }, hovertemplate: "p50 %{y:.3f} s<extra></extra>" });
    traces.push({ x: end, y: hold(c.ttft_p99), yaxis: "y5", mode: "lines", line: { shape: "hv", color: style("--error"), width: 2, dash: "dot" }, hovertemplate: "p99 %{y:.3f} s<extra></extra>" });
    title("flight", "Calls in flight");
    traces.push({ x: c.at, y: c.in_flight, yaxis: "y6", mode: "lines", fill: "tozeroy", line: { shape: "hv", color: style("--dim"), width: 1 }, fillcolor: "rgba(128,128,128,0.2)", hovertemplate: "%{y} in flight<extra></extra>" });

    const layout = {
      ...base(total + 50),
      margin: { l: narrow() ? 48 : 56, r: 12, t: 4, b: 40 },
      shapes, annotations: notes,
      xaxis: axis({ fixedrange: false, anchor: "y6", range: [data.from_s, data.to_s], title: { text: "seconds since t = 0" }, zeroline: false }),
      yaxis: axis({ domain: rows.faults, range: [-0.55, data.faults.length - 0.4], showticklabels: false, showgrid: false, zeroline: false }),
      yaxis2: axis({ domain: rows.served, rangemode: "tozero" }),
      yaxis3: axis({ domain: rows.calls, type: "log", tickvals: LOG_TICKS, ticktext: LOG_TICKS.map(seconds) }),
      yaxis4: axis({ domain: rows.success, range: [0, 1.04], tickformat: ".0%", tickvals: [0, 0.5, 1] }),
      yaxis5: axis({ domain: rows.ttft, rangemode: "tozero", tickformat: "~s", ticksuffix: "s", nticks: 4 }),
      yaxis6: axis({ domain: rows.flight, rangemode: "tozero", nticks: 3 }),
    };
    return { data: traces, layout };
  }

  // ---------------------------------------------------------------------------------------------------- the streams

  function worst() {
    const lines = data.worst;
    const y = (index) => lines.length - 1 - index;
    const traces = [];
    lines.forEach((one, index) => {
      const last = one.end === null ? Math.max(0, ...one.content) : one.end;
      traces.push({ x: [0, last], y: [y(index), y(index)], mode: "lines", line: { color: colourOf(one.outcome), width: 1.5 }, hoverinfo: "skip" });
      traces.push({ x: one.longest, y: [y(index), y(index)], mode: "lines", line: { color: colourOf(one.outcome), width: 7 }, opacity: 0.4, hovertemplate: `silence of ${seconds(one.longest[1] - one.longest[0])}<extra></extra>` });
    });
    const ticks = lines.flatMap((one, index) => one.content.map((at) => [at, y(index)]));
    traces.push({ x: ticks.map((t) => t[0]), y: ticks.map((t) => t[1]), mode: "markers", marker: { symbol: "line-ns", size: 11, line: { width: 1, color: style("--ink") } }, hovertemplate: "content at %{x:.3f} s<extra></extra>" });
    const strikes = lines.flatMap((one, index) => one.struck.map(([at, words]) => [at, y(index), safe(words)]));
    traces.push({ x: strikes.map((s) => s[0]), y: strikes.map((s) => s[1]), text: strikes.map((s) => s[2]), mode: "markers", marker: { symbol: "x", size: 10, color: style("--band"), line: { width: 1, color: style("--paper") } }, hovertemplate: "%{text} at %{x:.3f} s<extra></extra>" });
    const layout = {
      ...base(70 + 24 * lines.length),
      margin: { l: narrow() ? 110 : 230, r: 12, t: 4, b: 40 },
      xaxis: axis({ fixedrange: false, rangemode: "tozero", title: { text: "seconds since the call should have been sent" } }),
      yaxis: axis({ tickvals: lines.map((_, index) => y(index)), ticktext: lines.map((one) => (narrow() ? safe(one.id) : `${safe(one.id)}  ${safe(one.outcome)}`)), range: [-0.8, lines.length - 0.2], showgrid: false, zeroline: false }),
    };
    return { data: traces, layout };
  }

  function gaps() {
    const g = data.gaps;
    const trace = {
      type: "heatmap", x: g.at, y: g.from_ms.map((_, row) => row), z: g.counts.map((row) => row.map((count) => (count ? Math.log10(count) : null))), customdata: g.counts,
      colorscale: "Viridis", showscale: false, hoverongaps: false, hovertemplate: "%{customdata} gaps of about %{text}<extra></extra>",
      text: g.from_ms.map((ms) => g.at.map(() => seconds(ms / 1000))),
    };
    const decades = g.from_ms.map((ms, row) => [ms, row]).filter(([ms]) => Math.abs(Math.log10(ms) % 1) < 0.01);
    const shapes = data.faults.filter((f) => f.from !== null).flatMap((f) => [f.from, f.to === null ? data.to_s : f.to].map((at) => ({ type: "line", xref: "x", yref: "paper", x0: at, x1: at, y0: 0, y1: 1, line: { color: style("--band"), width: 1.5, dash: "dash" } })));
    const layout = {
      ...base(260), shapes, margin: { l: narrow() ? 48 : 60, r: 12, t: 8, b: 40 },
      xaxis: axis({ fixedrange: false, range: [data.from_s, data.to_s], title: { text: "seconds since t = 0; brighter: more gaps; dashed: edges of faults" }, showgrid: false }),
      yaxis: axis({ tickvals: decades.map(([, row]) => row), ticktext: decades.map(([ms]) => seconds(ms / 1000)), showgrid: false, zeroline: false }),
    };
    return { data: [trace], layout };
  }

  // ------------------------------------------------------------------------------------------------------- drawing

  const plots = { "plot-timeline": timeline, "plot-worst": worst, "plot-gaps": gaps };
  const drawn = new Set();
  const draw = (id) => {
    const element = document.getElementById(id);
    if (!element) return Promise.resolve();
    drawn.add(id);
    const { data: traces, layout } = plots[id]();
    return Plotly.react(element, traces, layout, config);
  };
  const again = () => drawn.forEach((id) => draw(id));

  draw("plot-timeline").then((plot) => {
    plot.on("plotly_click", (event) => {
      const [id] = event.points.filter((point) => point.data.meta === "calls").map((point) => point.customdata[0]);
      if (id !== undefined && Object.hasOwn(data.anchors, id)) location.hash = data.anchors[id];
    });
    document.getElementById("reset").addEventListener("click", () => Plotly.relayout(plot, { "xaxis.range": [data.from_s, data.to_s] }));
    document.documentElement.dataset.drawn = "timeline";
  });
  const watch = new IntersectionObserver(
    (entries) => entries.filter((entry) => entry.isIntersecting && !drawn.has(entry.target.id)).forEach((entry) => draw(entry.target.id)),
    { rootMargin: "400px" },
  );
  for (const id of Object.keys(plots)) {
    const element = document.getElementById(id);
    if (element && !drawn.has(id)) watch.observe(element);
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  addEventListener("beforeprint", () => Object.keys(plots).forEach(draw));
  addEventListener("afterprint", again);
})();
