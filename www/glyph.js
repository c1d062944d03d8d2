// States as shapes: each differs in form as well as in colour, and says its word.
import { html } from "./vendor/preact.js";

const tick = "M5 8.2l2.1 2.1L11.2 6", bang = "M8 5v4M8 11.2v.1", cross = "M5.6 5.6l4.8 4.8M10.4 5.6l-4.8 4.8";
const disc = "M8 1.2a6.8 6.8 0 1 0 0 13.6A6.8 6.8 0 0 0 8 1.2z", triangle = "M8 1.4L15.3 14.4H.7z", square = "M2 2h12v12H2z";
const octagon = "M5.2 1.2h5.6l4 4v5.6l-4 4H5.2l-4-4V5.2z", diamond = "M8 .8L15.2 8 8 15.2.8 8z";

// tone: of style.css; body: the filled shape; mark: the line in it; ring: only its outline
const glyphs = {
	good: { tone: "good", body: disc, mark: tick },
	busy: { tone: "busy", body: disc, ring: true, mark: "M8 4.4v3.8l2.4 1.6" },
	wait: { tone: "warn", body: triangle, mark: bang },
	bad: { tone: "bad", body: octagon, mark: cross },
	off: { tone: "off", body: square, ring: true, mark: "M5 8h6" },
	gone: { tone: "off", body: disc, ring: true, mark: "M5 8h6" },
	queue: { tone: "busy", body: disc, ring: true, mark: "M5 8h.1M8 8h.1M11 8h.1" },
	info: { tone: "info", body: disc, mark: "M8 7.4v4M8 4.8v.1" },
	unknown: { tone: "off", body: diamond, ring: true, mark: "M8 5.2v3.2M8 10.8v.1" },
	lock: { tone: "warn", body: square, mark: "M5.4 7.4h5.2v3.8H5.4zM6.4 7.4V6a1.6 1.6 0 0 1 3.2 0v1.4" },
	todo: { tone: "off", body: disc, ring: true },
	hand: { tone: "info", body: square, ring: true, mark: "M5 8h6M8 5v6" },
};

const states = {
	disabled: "off", queued: "queue", registering: "busy", registered: "good", waiting: "wait", unregistering: "busy", unregistered: "gone",
	up: "good", down: "bad", mismatch: "bad", stale: "unknown",
	info: "info", warning: "wait", critical: "bad",
	done: "good", todo: "todo", manual: "hand",
	yes: "good", pending: "busy", switchcore_down: "bad", rejected: "bad",
};

export function Glyph({ name, label }) {
	const glyph = glyphs[states[name] || name] || glyphs.unknown;
	return html`<svg class=${`glyph ${glyph.tone}`} viewBox="0 0 16 16" role=${label ? "img" : null} aria-label=${label || null} aria-hidden=${label ? null : "true"}>
		<path class=${glyph.ring ? "ring" : "body"} d=${glyph.body} />${glyph.mark && html`<path class=${glyph.ring ? "mark" : "mark inner"} d=${glyph.mark} />`}</svg>`;
}

// A glyph and its word.
export const State = ({ name, text, title }) => html`<span class="state" title=${title || null}><${Glyph} name=${name} /><span>${text || name}</span></span>`;
