// What moves, as lines.
import { html, useEffect, useRef, useState } from "./vendor/preact.js";

const KEPT = 300;

// The last values, one set per change of `key`: [[seconds], [first], [second], …]
export function useSamples(key, values) {
	const [samples, set] = useState(() => [[], ...values.map(() => [])]);
	useEffect(() => {
		set(old => [[...old[0], Date.now() / 1000].slice(-KEPT), ...values.map((value, i) => [...old[i + 1], value ?? null].slice(-KEPT))]);
	}, [key]);
	return samples;
}

const colour = tone => getComputedStyle(document.documentElement).getPropertyValue(`--${tone}`).trim();

function options(width, height, series) {
	const axis = { stroke: colour("faint-text"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
	return {
		width, height, legend: { show: false }, cursor: { show: false }, scales: { y: { range: (_, least, most) => [0, Math.max(4, Math.ceil((most ?? 0) * 1.15))] } },
		axes: [{ ...axis, space: 70, incrs: [1, 5, 15, 30, 60, 120, 300], values: (_, times) => times.map(time => new Date(time * 1000).toLocaleTimeString(undefined, { hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: "2-digit" })) },
			{ ...axis, size: 40, space: 26, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000] }],
		series: [{}, ...series.map(one => ({ label: one.label, stroke: colour(one.tone), width: 2, points: { show: false } }))],
	};
}

// samples: as useSamples gives them; series: [{label, tone}]
export function Chart({ label, samples, series, height = 150 }) {
	const box = useRef(null), plot = useRef(null), latest = useRef(samples);
	latest.current = samples;
	useEffect(() => {
		let Plot, gone = false;
		const draw = () => {
			plot.current?.destroy();
			plot.current = new Plot(options(box.current.clientWidth, height, series), latest.current, box.current);
		};
		const dark = matchMedia("(prefers-color-scheme: dark)");
		const theme = new MutationObserver(draw), size = new ResizeObserver(() => plot.current?.setSize({ width: box.current.clientWidth, height }));
		// It is a third of all that the panel loads, and nothing waits for it.
		import("./vendor/uplot.js").then(module => {
			if (gone)
				return;
			Plot = module.default;
			draw();
			size.observe(box.current);
			theme.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
			dark.addEventListener("change", draw);
		});
		return () => { gone = true; size.disconnect(); theme.disconnect(); dark.removeEventListener("change", draw); plot.current?.destroy(); };
	}, []);
	useEffect(() => plot.current?.setData(samples), [samples]);
	return html`<figure class="chart"><div ref=${box} role="img" aria-label=${label}></div><figcaption>${series.map(one => html`<span key=${one.label} class=${`key ${one.tone}`}>${one.label}</span>`)}</figcaption></figure>`;
}

// A line without axes, beside a number.
export function Spark({ values, label, tone = "good" }) {
	const known = values.filter(value => value !== null), most = Math.max(1, ...known), step = 80 / Math.max(1, values.length - 1);
	const points = values.map((value, i) => value === null ? "" : `${(i * step).toFixed(1)},${(19 - 17 * value / most).toFixed(1)}`).filter(Boolean).join(" ");
	return html`<svg class=${`spark ${tone}`} viewBox="0 0 80 20" role="img" aria-label=${label} preserveAspectRatio="none">${known.length > 1 && html`<polyline points=${points} />`}</svg>`;
}
