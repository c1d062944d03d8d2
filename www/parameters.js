// The SIP parameters by group: value, unit, range, default, what a change will do, and who set it when.
import { call, get, may } from "./api.js";
import { Conflict } from "./conflict.js";
import { Fault } from "./dialog.js";
import { keptDraft, useDraft } from "./draft.js";
import { Field } from "./field.js";
import { hints, loadPresets, presets } from "./hints.js";
import { newestRevision } from "./live.js";
import { link, setQuery } from "./route.js";
import { SaveBar, useRehearsal } from "./savebar.js";
import { applies, grouped, groupTitle, same, schema, valueText } from "./schema.js";
import { useLoad, useStore } from "./store.js";
import { clockTime } from "./time.js";
import { html, useEffect, useRef, useState } from "./vendor/preact.js";
import { plural } from "./words.js";

const KEY = "sip-parameters";	// the kind, and the draft of it

function Provenance({ item, reset, mayWrite }) {
	const set = item.source === "set";
	return html`${set && html`<p>set by ${item.changed_by}, <a href=${link(["history", String(item.revision)])} title=${item.changed_at}>${clockTime(item.changed_at)}</a></p>`}
		<p class="faint">${set ? "default:" : "at its default:"} ${valueText(item, item.default)}</p>
		${mayWrite && reset && html`<button type="button" class="secondary small" onClick=${reset}>Reset<span class="hidden-text"> ${item.title} to its default</span></button>`}`;
}

const hit = (item, wanted) => `${item.name} ${item.title} ${item.help} ${item.options.map(option => option.label).join(" ")}`.toLowerCase().includes(wanted);

// Values and who set them, beside what the schema tells, in its order.
async function parameters() {
	const [list, kinds] = await Promise.all([get("/sip-parameters", { limit: 1000 }), schema()]);
	const byName = new Map(list.items.map(item => [item.name, item]));
	return { revision: list.revision, items: kinds.get("sip-parameters").fields.map(field => ({ ...field, ...byName.get(field.name), pointer: `/${field.name}` })) };
}

const valuesOf = items => Object.fromEntries(items.map(item => [item.name, item.value]));

export function Parameters({ query }) {
	const changed = useStore(newestRevision), mayWrite = may("operator"), kept = keptDraft(KEY);
	const [draft, setDraft] = useState(kept?.draft || {}), [comment, setComment] = useState(""), [saved, setSaved] = useState(null), [failed, setFailed] = useState(null);
	const [busy, setBusy] = useState(false), [conflict, setConflict] = useState(null);
	const touched = changed?.changes.some(one => one.kind === "sip-parameters") ? changed.revision : 0;
	const { data, error: unread, reload } = useLoad(parameters, [touched]), items = data?.items;
	const base = useRef(kept?.base || null);	// what the draft was begun on
	useStore(presets);
	useEffect(() => { loadPresets().catch(() => {}); }, []);
	// null = back to the default
	const patch = Object.fromEntries((items || []).filter(item => item.name in draft && !same(draft[item.name] === null ? item.default : draft[item.name], item.value)).map(item => [item.name, draft[item.name]]));
	const said = useRehearsal(text => call("PATCH", "/sip-parameters", { body: JSON.parse(text), query: { dry_run: true }, patch: true }), JSON.stringify(patch), Object.keys(patch).length > 0), error = failed || said.error, count = Object.keys(patch).length;
	if (data && (count === 0 || !base.current))
		base.current = data;
	useDraft(KEY, count > 0, { draft, base: base.current });
	const set = item => value => { setFailed(null); setSaved(null); setDraft(old => ({ ...old, [item.name]: value })); };
	const discard = () => { setDraft({}); setFailed(null); };
	// Any other revision moves the entity tag; only one that touched what is being changed here is a conflict.
	const store = async (body, revision) => {
		try {
			return (await call("PATCH", "/sip-parameters", { body, ifMatch: `"r${revision}"`, query: { wait: "applied", comment }, patch: true })).data;
		} catch (problem) {
			if (problem.status !== 412)
				throw problem;
			const theirs = await parameters(), before = valuesOf(base.current.items), now = valuesOf(theirs.items);
			if (Object.keys(body).every(name => same(before[name], now[name])))
				return store(body, theirs.revision);
			setConflict(theirs);
			return null;
		}
	};
	const save = async (event, body = patch, revision = base.current.revision) => {
		event?.preventDefault();
		setBusy(true);
		setFailed(null);
		try {
			const answer = await store(body, revision);
			if (answer) {
				setSaved(answer);
				setComment("");
				setDraft({});
				setConflict(null);
				reload();
			}
		} catch (problem) {
			setFailed(problem);
		} finally {
			setBusy(false);
		}
	};
	const resolve = chosen => {
		const now = valuesOf(conflict.items), body = Object.fromEntries(Object.entries(chosen).filter(([name, value]) => !same(value, now[name])));
		base.current = conflict;
		setConflict(null);
		if (Object.keys(body).length)
			save(null, body, conflict.revision);
		else
			discard();
	};
	const mine = () => ({ ...valuesOf(base.current.items), ...Object.fromEntries(items.filter(item => item.name in patch).map(item => [item.name, valueOf(item)])) });
	const theirItem = () => conflict.items.filter(item => item.name in patch).sort((a, b) => b.revision - a.revision)[0];
	const wanted = (query.q || "").toLowerCase(), shown = (items || []).filter(item => !wanted || item.name in patch || hit(item, wanted));
	const errorsAt = item => (error?.errors || []).filter(one => one.pointer === `/${item.name}` || one.pointer.startsWith(`/${item.name}/`));
	const besides = error && (items || []).some(item => errorsAt(item).length);
	const valueOf = item => item.name in draft ? draft[item.name] === null ? item.default : draft[item.name] : item.value;
	return html`<div class="head"><h1>SIP parameters</h1><input type="search" aria-label="Search parameters" placeholder="Search" value=${query.q || ""} onInput=${event => setQuery({ ...query, q: event.target.value })} /></div>
		<${Fault} error=${unread} />
		<form class="object" onSubmit=${save} novalidate>${[...grouped(shown)].map(([group, fields]) => html`<details class="group" open key=${group}><summary>${groupTitle(group, KEY)}</summary>
			${fields.map(item => html`<${Field} key=${item.name} field=${item} value=${valueOf(item)} set=${set(item)} disabled=${!mayWrite}
				errors=${errorsAt(item)} changed=${item.name in patch}
				hint=${html`${hints(item, valueOf(item))} <span class="applies">${applies(item)}</span> <code>${item.name}</code>`}
				extra=${html`<${Provenance} item=${item} mayWrite=${mayWrite} reset=${!same(valueOf(item), item.default) && (() => set(item)(null))} />`} />`)}</details>`)}
			${conflict && html`<${Conflict} kind=${{ fields: items.filter(item => item.name in patch) }} title=${`${theirItem().changed_by} changed the same meanwhile`}
				told=${`Revision ${theirItem().revision}, ${clockTime(theirItem().changed_at)}.`} base=${valuesOf(base.current.items)} mine=${mine()} theirs=${valuesOf(conflict.items)} onClose=${() => setConflict(null)} onChoose=${resolve} />`}
			${items && shown.length === 0 && html`<p>No parameter is called like that.</p>`}
			${mayWrite && html`<${SaveBar} dirty=${count > 0} what=${plural(count, "change")} error=${count > 0 ? error : null} shown=${besides} answer=${said.answer}
				comment=${comment} setComment=${setComment} busy=${busy} discard=${discard} saved=${saved} />`}</form>`;
}
