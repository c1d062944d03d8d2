// One revision: who, when, why, what it changed, and what became of it.
import { download, get, may, path } from "./api.js";
import { Confirmation } from "./confirmation.js";
import { Fault } from "./dialog.js";
import { Saved } from "./savebar.js";
import { newestRevision } from "./live.js";
import { LongDiff } from "./long-diff.js";
import { restorable, RestoreDialog } from "./restore.js";
import { changeText } from "./revision-text.js";
import { link } from "./route.js";
import { schema } from "./schema.js";
import { useLoad, useStore } from "./store.js";
import { Ago, clockTime } from "./time.js";
import { html, useEffect, useState } from "./vendor/preact.js";

// Read again while it may still go back; what else it tells never changes.
function useRevision(number) {
	const loaded = useLoad(() => get(path("revisions", number)), [number]), latest = useStore(newestRevision);
	const pending = loaded.data?.confirmation?.state === "pending";
	useEffect(() => { if (pending) loaded.reload(); }, [latest?.revision]);
	return loaded;
}

function Facts({ revision }) {
	const facts = [["request", revision.request_id], ["from", revision.address], ["by API token", revision.token], ["hash", revision.hash]].filter(([, value]) => value);
	return html`<p class="foot facts-line">${facts.map(([name, value]) => html`<span key=${name}>${name} <code>${value}</code></span>`)}</p>`;
}

function RestoreTools({ revision, object, onRestore }) {
	return html`<span class="tools">${restorable(revision.revision, object).map(one => html`<button key=${one.number} type="button" class="secondary small" onClick=${() => onRestore({ number: one.number, object })}>${one.text}<span class="hidden-text"> ${object.name}</span></button>`)}</span>`;
}

function Changes({ revision, kinds, find, onRestore }) {
	// Of a kind that this server no longer knows the fields are not told.
	const diff = revision.changes.map(change => ({ ...change, fields: change.fields || [] }));
	return html`<${LongDiff} diff=${diff} kinds=${kinds} find=${find} tools=${onRestore && may("admin") && (object => html`<${RestoreTools} revision=${revision} object=${object} onRestore=${onRestore} />`)} />`;
}

// Unfolded in the list.
export function RevisionDetail({ number, kinds, find }) {
	const { data, error, reload } = useRevision(String(number));
	if (!data || !kinds)
		return error ? html`<${Fault} error=${error} />` : html`<p aria-busy="true">Being loaded …</p>`;
	return html`<${Confirmation} number=${number} confirmation=${data.confirmation} onChanged=${reload} /><${Changes} revision=${data} kinds=${kinds} find=${find} /><${Facts} revision=${data} />
		<p class="foot"><a href=${link(["history", String(number)])}>Revision ${number}${may("admin") ? ": look, or make it current again" : ""}</a></p>`;
}

function Beside({ number, newest }) {
	return html`<nav class="beside" aria-label="Revisions beside this one">
		${number > 1 && html`<a href=${link(["history", String(number - 1)])}>← ${number - 1}</a>`}${number < newest && html`<a href=${link(["history", String(number + 1)])}>${number + 1} →</a>`}</nav>`;
}

function Whole({ revision, kinds, newest, reload }) {
	const number = revision.revision, [restoring, restore] = useState(null), [saved, setSaved] = useState(null), [failed, setFailed] = useState(null);
	const save = () => download(path("revisions", String(number), "config"), {}, "application/json", `tandem-r${number}.json`).then(() => setFailed(null), setFailed);
	return html`<div class="lead-line"><p><strong>${revision.actor}</strong>, <${Ago} at=${revision.at} /> <span class="faint" title=${revision.at}>${clockTime(revision.at)}</span>: ${changeText(revision.changes, kinds)}</p>
			${revision.comment ? html`<p class="why">${revision.comment}</p>` : html`<p class="faint">No comment.</p>`}<${Facts} revision=${revision} /></div>
		<${Confirmation} number=${number} confirmation=${revision.confirmation} onChanged=${reload} />
		${saved && html`<div class="done"><${Saved} answer=${saved} /></div>`}<${Fault} error=${failed} />
		<div class="actions">${number < newest && may("admin") && html`<button type="button" onClick=${() => restore({ number })}>Make all as of revision ${number} current again …</button>`}
			${number < newest && html`<a role="button" class="secondary" href=${link(["history"], { from: number, to: newest })}>Compare with now</a>`}
			<button type="button" class="secondary" onClick=${save}>Download the configuration as of then</button></div>
		<section aria-labelledby="changed-title"><h2 id="changed-title">What it changed <small>${revision.changes.length.toLocaleString()}</small></h2><${Changes} revision=${revision} kinds=${kinds} onRestore=${restore} /></section>
		${restoring && html`<${RestoreDialog} number=${restoring.number} object=${restoring.object} onClose=${() => restore(null)} onDone=${answer => { restore(null); setSaved(answer); }} />`}`;
}

export function Revision({ number }) {
	const { data, error, reload } = useRevision(number), { data: kinds, error: unread } = useLoad(schema, []), latest = useStore(newestRevision);
	const { data: newest } = useLoad(() => get("/revisions", { limit: 1 }), [latest?.revision]);
	const known = newest?.revision || 0;
	return html`<nav class="crumbs" aria-label="Breadcrumb"><a href=${link(["history"])}>History</a> <span aria-hidden="true">/</span> <span aria-current="page">${number}</span></nav>
		<div class="head"><h1>Revision ${number} ${data && known === data.revision && html`<small>the newest</small>`}</h1>${data && html`<${Beside} number=${data.revision} newest=${known} />`}</div>
		<${Fault} error=${error || unread} />
		${data && kinds ? html`<${Whole} key=${number} revision=${data} kinds=${kinds} newest=${known} reload=${reload} />` : !error && html`<p aria-busy="true">Being loaded …</p>`}`;
}
