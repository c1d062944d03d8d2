// One registration or gateway: what it does now, and its settings.
import { call, may, path } from "./api.js";
import { AdviceList } from "./advice.js";
import { Fault } from "./dialog.js";
import { dropDraft } from "./draft.js";
import { DeleteDialog, ObjectForm } from "./form.js";
import { GatewayNow, GatewayTools } from "./gateway.js";
import { loadPresets, presets } from "./hints.js";
import { need, tables } from "./live.js";
import { PresetChooser } from "./presets.js";
import { RegistrationNow } from "./registration.js";
import { go, link } from "./route.js";
import { schema } from "./schema.js";
import { useLoad, useStore } from "./store.js";
import { clockTime } from "./time.js";
import { html, useEffect, useState } from "./vendor/preact.js";
import { noun } from "./words.js";

const titles = { registrations: "Registrations", "routing-gateways": "Gateways", "mapping-gateways": "Gateways" };
const listOf = kind => kind === "registrations" ? "registrations" : "gateways";

function Crumbs({ kind, name }) {
	return html`<nav class="crumbs" aria-label="Breadcrumb"><a href=${link([listOf(kind)])}>${titles[kind]}</a> <span aria-hidden="true">/</span> <span aria-current="page">${name}</span></nav>`;
}

// The settings as stored, with their entity tag and what is inherited.
async function settings(kind, name) {
	const [own, effective] = await Promise.all([call("GET", path(kind, name)), call("GET", path(kind, name), { query: { effective: true } })]);
	return { stored: own.data, etag: own.etag, effective: effective.data.effective };
}

function Existing({ kind, name, described, query }) {
	const table = useStore(tables[kind]), row = table.rows.get(name), [deleting, setDeleting] = useState(false);
	const { data, error, reload } = useLoad(() => settings(kind, name), [kind, name, row?.revision]);
	useStore(presets);
	const gone = error?.status === 404, forget = () => dropDraft(`${kind}/${name}`);
	useEffect(() => gone ? forget : undefined, [gone]);	// once one leaves: until then it can be read
	if (gone && !data)
		return html`<${Crumbs} kind=${kind} name=${name} /><h1>${name}</h1><p>There is no ${noun(kind)} of that name.</p>`;
	const Now = kind === "registrations" ? RegistrationNow : GatewayNow;
	return html`<${Crumbs} kind=${kind} name=${name} />
		<div class="head"><h1>${name}</h1>${kind !== "registrations" && html`<span class="faint">${noun(kind)}</span>`}${may("operator") && !gone && html`<button type="button" class="secondary danger" onClick=${() => setDeleting(true)}>Delete …</button>`}</div>
		${row && html`<${Now} kind=${kind} row=${row} show=${query.show} />`}
		<${AdviceList} kind=${kind} name=${name} quiet />
		${kind !== "registrations" && row && html`<${GatewayTools} kind=${kind} row=${row} show=${query.show} />`}
		<section id="show-settings" aria-labelledby="settings-title"><div class="head"><h2 id="settings-title">Settings</h2>
			${data && html`<p class="foot">set in <a href=${link(["history", String(data.stored.revision)])}>revision ${data.stored.revision}</a> by ${data.stored.changed_by}, ${clockTime(data.stored.changed_at)} · <a href=${link(["history"], { kind, name })}>its history</a></p>`}</div>
			${gone ? html`<div class="fault" role="alert"><p>This ${noun(kind)} was deleted meanwhile. <a href=${link(["history"], { kind, name })}>Its history</a> can bring it back.</p></div>` : html`<${Fault} error=${error} />`}
			${data && html`<${ObjectForm} kind=${described} stored=${data.stored} etag=${data.etag} effective=${data.effective} onSaved=${reload} after=${kind !== "registrations" && html` <a href=${link([kind, name], { show: "verify" })}>Verify with the next real call</a>`}>${tools => html`<${PresetChooser} kind=${kind} name=${name} ...${tools} />`}</${ObjectForm}>`}</section>
		${deleting && html`<${DeleteDialog} kind=${kind} name=${name} onClose=${() => setDeleting(false)} onDone=${() => { forget(); go([listOf(kind)]); }} />`}`;
}

function New({ kind, described }) {
	if (!may("operator"))
		return html`<${Crumbs} kind=${kind} name="new" /><h1>New ${noun(kind)}</h1><p>This needs the role operator.</p>`;
	return html`<${Crumbs} kind=${kind} name="new" /><h1>New ${noun(kind)}</h1>
		<${ObjectForm} kind=${described} onSaved=${answer => go([kind, answer.diff[0].name])}>${tools => html`<${PresetChooser} kind=${kind} ...${tools} />`}</${ObjectForm}>`;
}

export function ObjectPage({ parts, query }) {
	const isNew = parts[0] === "new", kind = isNew ? parts[1] : parts[0], { data: kinds, error } = useLoad(schema, []);
	useEffect(() => {
		loadPresets().catch(() => {});
		for (const known of Object.keys(tables))
			need(known);	// names to refer to
	}, []);
	if (!tables[kind])
		return html`<h1>Not here</h1><p>There is no such page. <a href="#/">Overview</a></p>`;
	if (!kinds)
		return error ? html`<${Fault} error=${error} />` : html`<p aria-busy="true">Being loaded …</p>`;
	return isNew ? html`<${New} kind=${kind} described=${kinds.get(kind)} />` : html`<${Existing} kind=${kind} name=${parts[1]} described=${kinds.get(kind)} query=${query} />`;
}
