// What the last calls through a gateway came to, one mark for each.
import { Glyph } from "./glyph.js";
import { clockTime } from "./time.js";
import { html } from "./vendor/preact.js";

const STOPS = [486, 487];	// as a gateway has them unless it is told others

// 2xx; the callee's own no; refused; broken
export function mark(code, stops = STOPS) {
	if (code >= 200 && code < 300)
		return { glyph: "good", word: "answered" };
	if (stops.includes(code) || code >= 600)
		return { glyph: "gone", word: code === 487 ? "cancelled" : "declined by the callee" };
	if (code >= 300 && code < 500 && code !== 408)
		return { glyph: "wait", word: "refused" };
	return { glyph: "bad", word: code ? "failed" : "no answer" };
}

export function Codes({ codes, stops = STOPS }) {
	if (!codes?.length)
		return html`<p class="faint">No call has ended yet.</p>`;
	return html`<ol class="codes" aria-label="Answers to the last calls">${codes.map((one, i) => {
		const { glyph, word } = mark(one.code, stops);
		return html`<li key=${`${one.at}${i}`} title=${`${one.at}: ${word}`}><${Glyph} name=${glyph} label=${word} /> <b>${one.code || "none"}</b> <small>${clockTime(one.at)}</small></li>`;
	})}</ol>`;
}
