// A number that has a limit, as a small bar.  No limit: only the number.
import { html } from "./vendor/preact.js";

export function Meter({ value, most, unit, label }) {
	if (value === null || value === undefined)
		return html`<span class="faint">–</span>`;
	const share = most ? Math.min(1, value / most) : 0;
	return html`<span class="meter" title=${`${label}: ${value.toLocaleString()}${most ? ` of at most ${most.toLocaleString()}` : ", no limit"}`}><span class="figure"><b>${value.toLocaleString()}</b>${most ? ` / ${most.toLocaleString()}` : ""}${unit && html`<small> ${unit}</small>`}</span>
		${most > 0 && html`<span class="tank" aria-hidden="true"><span class=${share >= 0.9 ? "level low" : "level"} style=${{ width: `${share * 100}%` }}></span></span>`}</span>`;
}
