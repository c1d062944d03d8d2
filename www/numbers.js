// A call's numbers on their way through the switch: read, rewritten, routed, rewritten, written.
import { Glyph } from "./glyph.js";
import { link } from "./route.js";
import { html } from "./vendor/preact.js";
import { written } from "./words.js";

// The rule that is applied to a number: the longest that fits.
const ruleOf = (rules, number) => number === null ? undefined : (rules || []).filter(rule => number.startsWith(rule.match)).sort((a, b) => b.match.length - a.match.length)[0];

const shown = number => number === "" ? html`<i class="faint">empty</i>` : number;

// A number after a rewriting; the digits that are new in it are marked.
function Rewritten({ before, after, rule }) {
	if (after === null || after === undefined)
		return html`<span class="digits faint">–</span>`;
	const rest = rule && before !== null ? before.slice(rule.match.length) : null;
	if (rest !== null && after === rule.replace + rest && after !== before)
		return html`<span class="digits">${rule.replace && html`<ins>${rule.replace}</ins>`}${rest || (!rule.replace && shown(""))}</span>`;
	return html`<span class="digits">${before === null || after === before ? shown(after) : html`<ins>${shown(after)}</ins>`}</span>`;
}

const Rule = ({ rule, rules }) => html`<small>${rule ? html`rule <b>${rule.match || "any"} → ${rule.replace || "nothing"}</b>` : rules?.length ? "no rule fits: unchanged" : "no rules: unchanged"}</small>`;

const Pass = ({ name, children }) => html`<div class="pass"><span class="what">${name}</span>${children}</div>`;

function Step({ verb, kind, name, children, reached = true }) {
	return html`<li class=${reached ? "step" : "step unreached"}><h3>${verb}</h3><p class="who">${name ? html`<a href=${link([kind, name])}>${name}</a>` : html`<span class="faint">–</span>`}</p>${children}</li>`;
}

function Rewrite({ kind, row, callee, caller }) {
	const [calleeRule, callerRule] = [ruleOf(row?.callee_rewrite, callee[0]), ruleOf(row?.caller_rewrite, caller[0])];
	return html`<${Step} verb="Rewrite" kind=${kind} name=${row?.name} reached=${callee[1] !== null}>
		<${Pass} name="callee"><${Rewritten} before=${callee[0]} after=${callee[1]} rule=${calleeRule} />${callee[1] !== null && html`<${Rule} rule=${calleeRule} rules=${row?.callee_rewrite} />`}</${Pass}>
		<${Pass} name="caller"><${Rewritten} before=${caller[0]} after=${caller[1]} rule=${callerRule} />${caller[1] !== null && html`<${Rule} rule=${callerRule} rules=${row?.caller_rewrite} />`}</${Pass}></${Step}>`;
}

function Route({ answer, row, mapped }) {
	const { prefix } = answer.numbers, name = answer.routing_gateway;
	return html`<${Step} verb="Route" kind="routing-gateways" name=${name} reached=${prefix !== null}>
		<${Pass} name="callee">${prefix === null || mapped === null ? html`<span class="digits faint">–</span>` : html`<span class="digits">${prefix && html`<b class="matched">${prefix}</b>`}${mapped.slice(prefix.length)}</span>
			<small>${prefix ? html`prefix <b>${prefix}</b>` : "the prefix of all numbers"}${row && `, priority ${row.priority}`}</small>`}</${Pass}>
		${answer.skipped.length > 0 && html`<${Pass} name="passed over"><${Skipped} skipped=${answer.skipped} /></${Pass}>`}</${Step}>`;
}

const Skipped = ({ skipped }) => html`<ul class="skipped">${skipped.map(one => html`<li key=${one.gateway}><${Glyph} name="wait" /> <a href=${link(["routing-gateways", one.gateway])}>${one.gateway}</a> <small>${one.why || "not usable"}</small></li>`)}</ul>`;

const userOf = header => /sips?:([^@>;]*)@/.exec(header || "")?.[1] ?? (/sips?:/.test(header || "") ? "" : header);
const nameOf = header => /^\s*"?([^"<]*?)"?\s*</.exec(header)?.[1];
const identities = [["From", "from"], ["P-Asserted-Identity", "p_asserted_identity"], ["P-Preferred-Identity", "p_preferred_identity"], ["Remote-Party-ID", "remote_party_id"], ["Privacy", "privacy"]];

// sides: [{mode, answer}] of both modes of invite_use_contact
function Write({ sides, name, inForce }) {
	const { numbers } = sides[0].answer, rewritten = numbers.original !== numbers.routed;
	const origin = number => !rewritten ? "" : number === numbers.original ? "as dialled" : number === numbers.routed ? "as routed" : "";
	const rows = [["Request line", side => side.answer.numbers.request_uri_out, true], ["To", side => side.answer.numbers.to_out, true],
		...identities.filter(([, key]) => sides.some(side => side.answer.headers[key])).map(([title, key]) => [title, side => userOf(side.answer.headers[key]), false, side => nameOf(side.answer.headers[key])])];
	return html`<${Step} verb="Write" kind="routing-gateways" name=${name}>
		<div class="scroll" tabindex="0" role="region" aria-label="What is written where"><table class="written"><thead><tr><th scope="col">Field</th>${sides.map(side => html`<th scope="col" key=${side.mode}>${side.mode}${side.mode === inForce && html` <span class="in-force">in force</span>`}</th>`)}</tr></thead>
		<tbody>${rows.map(([title, value, callee, display]) => {
			const differ = sides.length > 1 && value(sides[0]) !== value(sides[1]);
			return html`<tr key=${title} class=${differ ? "differs" : null}><th scope="row">${differ && html`<span class="sign" role="img" aria-label="differs">≠ </span>`}${title}</th>
				${sides.map(side => html`<td key=${side.mode}><span class="digits">${shown(value(side))}</span>${callee && origin(value(side)) && html`<small>${origin(value(side))}</small>`}${display?.(side) && html`<small>“${display(side)}”</small>`}</td>`)}</tr>`;
		})}</tbody></table></div><small class="faint">invite_use_contact: ${sides.map(side => side.mode).join(" and ")}</small></${Step}>`;
}

function Refused({ answer }) {
	return html`<li class="step refused"><h3>Refused</h3><p><${Glyph} name="bad" /> <b>${answer.refused.code ?? "no code"}</b> ${answer.refused.reason}</p><p class="faint">Nothing would be sent.</p></li>`;
}

// sides: [{mode, answer}]; mapping, routing: rows of the gateways
export function Numbers({ sides, mapping, routing, inForce }) {
	const answer = sides[0].answer, { numbers } = answer;
	return html`<ol class="numbers" aria-label="The numbers on their way">
		<${Step} verb="Read" kind="mapping-gateways" name=${mapping?.name}>
			<${Pass} name="callee"><span class="digits">${shown(numbers.callee_in)}</span><small>from <b>${written[mapping?.sip.callee]}</b></small></${Pass}>
			${numbers.original !== numbers.callee_in && html`<${Pass} name="dialled"><span class="digits">${shown(numbers.original)}</span><small>in <b>To</b></small></${Pass}>`}
			<${Pass} name="caller"><span class="digits">${shown(numbers.caller_in)}</span><small>from <b>${written[mapping?.sip.caller]}</b></small></${Pass}></${Step}>
		<${Rewrite} kind="mapping-gateways" row=${mapping} callee=${[numbers.callee_in, numbers.mapped]} caller=${[numbers.caller_in, numbers.caller_mapped]} />
		${(answer.routing_gateway || answer.skipped.length > 0 || !answer.refused) && html`<${Route} answer=${answer} row=${routing} mapped=${numbers.mapped} />`}
		${!answer.refused && html`<${Rewrite} kind="routing-gateways" row=${routing} callee=${[numbers.mapped, numbers.routed]} caller=${[numbers.caller_mapped, numbers.caller_out]} />`}
		${answer.refused ? html`<${Refused} answer=${answer} />` : html`<${Write} sides=${sides} name=${answer.routing_gateway} inForce=${inForce} />`}</ol>`;
}
