// The SIP parameters by group: value, unit, range, default, what a change will do, and who set it when.
import { all, call, may } from "./api.js";
import { Effects } from "./change.js";
import { Fault } from "./dialog.js";
import { Field } from "./field.js";
import { Saved } from "./form.js";
import { hints, loadPresets, presets } from "./hints.js";
import { newestRevision } from "./live.js";
import { link, setQuery } from "./route.js";
import { applies, grouped, groupTitle, same, schema, valueText } from "./schema.js";
import { useLoad, useStore } from "./store.js";
import { clockTime, useSettled } from "./time.js";
import { html, useEffect, useState } from "./vendor/preact.js";
import { plural } from "./words.js";

const REHEARSE_MS = 250;

function useRehearsal(patch) {
	const key = JSON.stringify(patch), settled = useSettled(key, REHEARSE_MS), [said, set] = useState({});
	useEffect(() => {
		let current = true;
		if (settled === "{}")
			set({});
		else
			call("PATCH", "/sip-parameters", { body: JSON.parse(settled), query: { dry_run: true }, patch: true })
				.then(({ data }) => current && set({ answer: data }), error => current && set({ error }));
		return () => { current = false; };
	}, [settled]);
	return said;
}

function Provenance({ item, reset, mayWrite }) {
	return html`<p>${item.source === "set" ? html`set by ${item.changed_by}, <a href=${link(["history", String(item.revision)])} title=${item.changed_at}>${clockTime(item.changed_at)}</a>` : "default"}</p>
		<p class="faint">default ${valueText(item, item.default)}</p>
		${mayWrite && reset && html`<button type="button" class="secondary small" onClick=${reset}>Reset<span class="hidden-text"> ${item.title} to its default</span></button>`}`;
}

const hit = (item, wanted) => `${item.name} ${item.title} ${item.help} ${item.options.map(option => option.label).join(" ")}`.toLowerCase().includes(wanted);

// Values and who set them, beside what the schema tells, in its order.
async function parameters() {
	const [values, kinds] = await Promise.all([all("/sip-parameters"), schema()]);
	const byName = new Map(values.map(item => [item.name, item]));
	return kinds.get("sip-parameters").fields.map(field => ({ ...field, ...byName.get(field.name), pointer: `/${field.name}` }));
}

export function Parameters({ query }) {
	const revision = useStore(newestRevision), mayWrite = may("operator"), [draft, setDraft] = useState({}), [comment, setComment] = useState(""), [saved, setSaved] = useState(null), [failed, setFailed] = useState(null), [busy, setBusy] = useState(false);
	const touched = revision?.changes.some(one => one.kind === "sip-parameters") ? revision.revision : 0;
	const { data: items, error: unread, reload } = useLoad(parameters, [touched]);
	useStore(presets);
	useEffect(() => { loadPresets().catch(() => {}); }, []);
	// null = back to the default
	const patch = Object.fromEntries((items || []).filter(item => item.name in draft && !same(draft[item.name] === null ? item.default : draft[item.name], item.value) ).map(item => [item.name, draft[item.name]]));
	const said = useRehearsal(patch), error = failed || said.error, count = Object.keys(patch).length;
	const set = item => value => { setFailed(null); setSaved(null); setDraft(old => ({ ...old, [item.name]: value })); };
	const discard = () => { setDraft({}); setFailed(null); };
	const save = async event => {
		event.preventDefault();
		setBusy(true);
		try {
			const { data } = await call("PATCH", "/sip-parameters", { body: patch, query: { wait: "applied", comment }, patch: true });
			setSaved(data);
			setComment("");
			setDraft({});
			reload();
		} catch (problem) {
			setFailed(problem);
		} finally {
			setBusy(false);
		}
	};
	const wanted = (query.q || "").toLowerCase(), shown = (items || []).filter(item => !wanted || hit(item, wanted));
	const known = new Set((items || []).map(item => `/${item.name}`)), elsewhere = error && !error.errors?.some(one => known.has(one.pointer));
	const valueOf = item => item.name in draft ? draft[item.name] === null ? item.default : draft[item.name] : item.value;
	return html`<div class="head"><h1>SIP parameters</h1><input type="search" aria-label="Search parameters" placeholder="Search" value=${query.q || ""} onInput=${event => setQuery({ ...query, q: event.target.value })} /></div>
		<${Fault} error=${unread} />
		<form class="object" onSubmit=${save} novalidate>${[...grouped(shown)].map(([group, fields]) => html`<details class="group" open key=${group}><summary>${groupTitle(group)}</summary>
			${fields.map(item => html`<${Field} key=${item.name} field=${item} value=${valueOf(item)} set=${set(item)} disabled=${!mayWrite}
				errors=${(error?.errors || []).filter(one => one.pointer === `/${item.name}` || one.pointer.startsWith(`/${item.name}/`))} changed=${item.name in patch}
				hint=${html`${hints({}, item, valueOf(item))} <span class="applies">${applies(item)}</span> <code>${item.name}</code>`}
				extra=${html`<${Provenance} item=${item} mayWrite=${mayWrite} reset=${!same(valueOf(item), item.default) && (() => set(item)(null))} />`} />`)}</details>`)}
			${items && shown.length === 0 && html`<p>No parameter is called like that.</p>`}
			${mayWrite && (count > 0 || saved) && html`<div class="savebar" role="region" aria-label="Save">
				${count > 0 && html`<div class="says">${elsewhere && html`<${Fault} error=${error} />`}${error && !elsewhere && html`<p class="error">${plural(error.errors.length, "value is", "values are")} not right yet.</p>`}
					${said.answer && !error && html`<p><strong>${plural(count, "change")}.</strong></p><${Effects} answer=${said.answer} />`}</div>
					<input class="why" name="comment" aria-label="Why? (kept in the history)" placeholder="Why? (kept in the history)" maxlength="1024" value=${comment} onInput=${event => setComment(event.target.value)} autocomplete="off" />
					<div class="buttons"><button type="button" class="secondary" onClick=${discard}>Discard</button><button type="submit" disabled=${busy} aria-busy=${busy}>Save</button></div>`}
				${count === 0 && saved && html`<${Saved} answer=${saved} />`}</div>`}</form>`;
}
