// A call before it is made: where it would go, its numbers, the INVITE in both modes; nothing is sent.
import { call } from "./api.js";
import { Comparison } from "./comparison.js";
import { Fault } from "./dialog.js";
import { Glyph, State } from "./glyph.js";
import { newestRevision, tables } from "./live.js";
import { Numbers } from "./numbers.js";
import { link } from "./route.js";
import { useStore } from "./store.js";
import { useSettled } from "./time.js";
import { html, useEffect, useState } from "./vendor/preact.js";

const REST_MS = 400;
const FEW = 100;	// mapping gateways that a list to choose from holds

const ask = async body => (await call("POST", "/preview/invite", { body })).data;

// The call as it is configured, and in the other mode.
async function both(wanted) {
	const plain = await ask(wanted), mode = plain.invite_use_contact;
	if (!mode || plain.refused)
		return { plain, sides: [{ mode: null, answer: plain }] };
	const other = mode === "on" ? "off" : "on", tried = await ask({ ...wanted, invite_use_contact: other });
	const sides = [{ mode, answer: plain }, ...(tried.refused ? [] : [{ mode: other, answer: tried }])];
	return { plain, sides: sides.sort((a, b) => a.mode.localeCompare(b.mode)) };
}

// {plain, sides} or {error}, anew when the call, the configuration or `also` changed.
export function usePreview(wanted, also) {
	const settled = useSettled(JSON.stringify(wanted), REST_MS), revision = useStore(newestRevision), [said, set] = useState({});
	useEffect(() => {
		const asked = JSON.parse(settled);
		let current = true;
		if (asked.mapping_gateway && asked.callee)
			both(asked).then(answer => current && set({ ...answer, asked }), error => current && set({ error }));
		else
			set({});
		return () => { current = false; };
	}, [settled, revision?.revision, also]);
	return said;
}

function MappingGateway({ value, set }) {
	const names = [...tables["mapping-gateways"].value.rows.keys()].sort();
	if (names.length > FEW)
		return html`<label>From mapping gateway<input list="preview-mappings" value=${value} onInput=${event => set(event.target.value)} autocomplete="off" /><datalist id="preview-mappings">${names.slice(0, 1000).map(name => html`<option key=${name} value=${name} />`)}</datalist></label>`;
	return html`<label>From mapping gateway<select value=${value} onChange=${event => set(event.target.value)}>${names.map(name => html`<option key=${name} value=${name} selected=${name === value}>${name}</option>`)}</select></label>`;
}

// fixed: the mapping gateway is given by the page
export function CallForm({ wanted, set, fixed }) {
	const take = field => event => set({ ...wanted, [field]: event.target.value });
	return html`<form class="call" onSubmit=${event => event.preventDefault()} aria-label="The call">
		${fixed ? html`<p class="given"><small>From mapping gateway</small><b>${fixed}</b></p>` : html`<${MappingGateway} value=${wanted.mapping_gateway} set=${name => set({ ...wanted, mapping_gateway: name })} />`}
		<label>Callee<input inputmode="tel" value=${wanted.callee} maxlength="128" autocomplete="off" spellcheck=${false} onInput=${take("callee")} /></label>
		<label>Caller<input inputmode="tel" value=${wanted.caller} maxlength="128" autocomplete="off" spellcheck=${false} placeholder="none" onInput=${take("caller")} /></label></form>`;
}

// Where it goes, in one line; here: the name of the routing gateway whose page this is
function Outcome({ plain, here }) {
	const name = plain.routing_gateway;
	if (plain.refused)
		return html`<p class="outcome"><${State} name="bad" text=${`Refused with ${plain.refused.code ?? "no code"}: ${plain.refused.reason}`} /></p>`;
	const elsewhere = here && name !== here, own = elsewhere && plain.skipped.find(one => one.gateway === here);
	return html`<p class="outcome"><${Glyph} name=${elsewhere ? "wait" : "good"} /> ${elsewhere && html`<b>Not to this gateway${own ? ` (${own.why})` : ""}:</b>`} It goes to <b>${plain.target}</b>, through <a href=${link(["routing-gateways", name])}>${name}</a>; invite_use_contact is <b>${plain.invite_use_contact}</b>.</p>`;
}

export function Preview({ said, here }) {
	const rows = kind => tables[kind].value.rows, { plain, sides, asked } = said;
	useStore(tables["routing-gateways"]);
	useStore(tables["mapping-gateways"]);
	if (!plain)
		return html`<${Fault} error=${said.error} />`;
	return html`<${Outcome} plain=${plain} here=${here} />
		<${Numbers} sides=${sides} mapping=${rows("mapping-gateways").get(asked.mapping_gateway)} routing=${rows("routing-gateways").get(plain.routing_gateway)} inForce=${plain.invite_use_contact} />
		${sides.length === 2 && html`<details class="group invites" open><summary>The INVITE, with invite_use_contact off and on</summary>
			<${Comparison} label="The INVITE in both modes" sides=${sides.map(side => ({ title: side.mode, message: side.answer.message, inForce: side.mode === plain.invite_use_contact }))} /></details>`}`;
}
