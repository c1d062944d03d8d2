// Two SIP messages side by side; where they differ is marked.
import { Glyph } from "./glyph.js";
import { html } from "./vendor/preact.js";

const lines = message => message.replace(/(\r?\n)+$/, "").split(/\r?\n/);
const nameOf = line => /^([A-Za-z-]+)\s*:/.exec(line)?.[1].toLowerCase() || line.split(" ")[0];

// What is new in every message says nothing: it is not compared.
const settled = line => nameOf(line) === "call-id" ? "call-id" : line.replace(/;(branch|tag)=[^;>,\s]*/g, "");

// [[line of a | null, line of b | null], …], in order
function paired(a, b) {
	const mine = lines(a), theirs = lines(b), pairs = [];
	let at = 0;
	for (const line of mine) {
		const found = theirs.findIndex((other, i) => i >= at && nameOf(other) === nameOf(line));
		if (found < 0) {
			pairs.push([line, null]);
			continue;
		}
		for (; at < found; at++)
			pairs.push([null, theirs[at]]);
		pairs.push([line, theirs[at++]]);
	}
	for (; at < theirs.length; at++)
		pairs.push([null, theirs[at]]);
	return pairs;
}

export const differs = ([a, b]) => a === null || b === null || settled(a) !== settled(b);

const whose = side => side.inForce ? `${side.title} (in force)` : side.title;

const Line = ({ line, side, differ, which }) => html`<td class=${side} data-which=${which}>${differ && html`<span class="hidden-text">${which}: </span>`}${line === null ? html`<i class="faint">not there</i>` : line}</td>`;

// sides: [{title, message, inForce}] of two
export function Comparison({ label, sides }) {
	const pairs = paired(sides[0].message, sides[1].message), different = pairs.filter(differs).length;
	return html`<p class="foot">${different ? html`<${Glyph} name="hand" /> ${different === 1 ? "One line differs" : `${different} lines differ`}, marked ≠.` : html`<${Glyph} name="good" /> Both are the same.`} Call-ID, tags and branch are new in every message and not compared.</p>
		<div class="scroll" tabindex="0" role="region" aria-label=${label}><table class="compared"><thead><tr><th scope="col" class="sign"><span class="hidden-text">Differs</span></th>
			${sides.map(side => html`<th scope="col" key=${side.title}>${side.title}${side.inForce && html` <span class="in-force">in force</span>`}</th>`)}</tr></thead>
		<tbody>${pairs.map((pair, i) => {
			const differ = differs(pair);
			return html`<tr key=${i} class=${differ ? "differs" : "same"}><td class="sign">${differ ? html`<span aria-label="differs" role="img">≠</span>` : ""}</td>
				<${Line} line=${pair[0]} side="a" differ=${differ} which=${whose(sides[0])} /><${Line} line=${pair[1]} side="b" differ=${differ} which=${whose(sides[1])} /></tr>`;
		})}</tbody></table></div>`;
}
