// The form of one object, built from the schema; every keystroke is rehearsed by the server, which says what is wrong and what would happen.
import { call, get, may, path } from "./api.js";
import { ChangeDialog } from "./change.js";
import { Conflict } from "./conflict.js";
import { keptDraft, useDraft } from "./draft.js";
import { Field } from "./field.js";
import { hints } from "./hints.js";
import { tables } from "./live.js";
import { SaveBar, useRehearsal } from "./savebar.js";
import { grouped, groupTitle, same, valueAt, withValue } from "./schema.js";
import { clockTime } from "./time.js";
import { html, useEffect, useRef, useState } from "./vendor/preact.js";
import { noun, plural } from "./words.js";

// What differs from the stored object, as a merge patch (RFC 7396).
function patchOf(kind, stored, draft) {
	return kind.fields.filter(field => !same(valueAt(draft, field.pointer), valueAt(stored, field.pointer)))
		.reduce((patch, field) => withValue(patch, field.pointer, valueAt(draft, field.pointer)), {});
}

export const fresh = kind => kind.fields.reduce((object, field) => withValue(object, field.pointer, field.secret ? { set: false } : field.default), {});

function Group({ title, open, children }) {
	return html`<details class="group" open=${open}><summary>${title}</summary>${children}</details>`;
}

function namesFor(field) {
	return field.refers_to ? [...(tables[field.refers_to]?.value.rows.keys() || [])] : null;
}

// stored: the object as read (null: a new one); etag: of it; effective: of ?effective=true; after: what a saved one offers
export function ObjectForm({ kind, stored, etag, effective, onSaved, after, children }) {
	const key = stored ? `${kind.kind}/${stored.name}` : kind.kind, kept = keptDraft(key), base = kept?.base || stored || fresh(kind);
	const [draft, setDraft] = useState(kept?.draft || { ...base }), [name, setName] = useState(kept?.name || ""), [comment, setComment] = useState("");
	const [failed, setFailed] = useState(null), [busy, setBusy] = useState(false), [conflict, setConflict] = useState(null), [saved, setSaved] = useState(null);
	const tag = useRef(kept?.etag || etag), root = useRef(base);
	const mayWrite = may("operator"), isNew = !stored;
	const patch = patchOf(kind, isNew ? fresh(kind) : root.current, draft), count = kind.fields.filter(field => valueAt(patch, field.pointer) !== undefined).length;
	const made = isNew && saved !== null, dirty = isNew ? !made && (name !== "" || count > 0) : count > 0;
	const send = (draftNow, query, ifMatch) => isNew
		? call("POST", path(kind.kind), { body: { ...patchOf(kind, fresh(kind), draftNow.draft), name: draftNow.name }, query })
		: call("PATCH", path(kind.kind, stored.name), { body: patchOf(kind, root.current, draftNow.draft), query, ifMatch, patch: true });
	const said = useRehearsal(text => send(JSON.parse(text), { dry_run: true }), JSON.stringify({ draft, name }), dirty && mayWrite && !busy);
	useDraft(key, dirty, { draft, name, base: root.current, etag: tag.current });
	const error = failed || said.error;

	// Somebody else's change of what is not being edited here is simply shown.
	useEffect(() => {
		if (!stored || etag === tag.current || dirty)
			return;
		tag.current = etag;
		root.current = stored;
		setDraft({ ...stored });
	}, [etag]);

	const discard = () => { setDraft({ ...root.current }); setName(""); setFailed(null); };
	const save = async (event, with_ = draft, etagNow = tag.current) => {
		event?.preventDefault();
		setBusy(true);
		setFailed(null);
		try {
			const { data, etag: newTag } = await send({ draft: with_, name }, { wait: "applied", comment }, etagNow);
			if (data.resource) {
				tag.current = newTag;
				root.current = data.resource;
				setDraft({ ...data.resource });
			}
			setComment("");
			setSaved(data);
			setConflict(null);
			onSaved?.(data);
		} catch (problem) {
			if (problem.status === 412)
				await get(path(kind.kind, stored.name)).then(theirs => setConflict({ theirs, etag: problem.etag }), setFailed);	// or it is gone
			else
				setFailed(problem);
		} finally {
			setBusy(false);
		}
	};
	const resolve = (merged, theirs, theirTag) => {
		root.current = theirs;
		tag.current = theirTag;
		setDraft(merged);
		save(null, merged, theirTag);
	};
	const set = field => value => { setFailed(null); setSaved(null); setDraft(old => withValue(old, field.pointer, value)); };
	const errorsAt = pointer => (error?.errors || []).filter(one => one.pointer === pointer || one.pointer.startsWith(`${pointer}/`));
	const besides = error && ["/name", ...kind.fields.map(field => field.pointer)].some(pointer => errorsAt(pointer).length);
	// Of a form that was not begun, "must be given" helps nobody.
	const quiet = isNew && !failed;
	const shownAt = pointer => errorsAt(pointer).filter(one => !(quiet && one.code === "required"));

	return html`<form class="object" onSubmit=${save} novalidate>
		${isNew && html`<div class="field"><label class="name" for="field-name">Name<span class="needed"> *</span></label><div class="edit"><div class="input">
			<input id="field-name" value=${name} autocomplete="off" spellcheck=${false} aria-describedby="name-about" onInput=${event => setName(event.target.value)} /></div>
			<div class="about" id="name-about">${shownAt("/name").map(one => html`<p class="error" role="alert">${one.detail}</p>`)}<p class="help">Letters, digits and . _ -; it is not changed later.</p></div></div></div>`}
		${children?.({ draft, setDraft, mayWrite })}
		${[...grouped(kind.fields)].map(([group, fields], i) => html`<${Group} key=${group} title=${groupTitle(group, kind.kind)} open=${i < 5 || fields.some(field => shownAt(field.pointer).length)}>
			${fields.map(field => html`<${Field} key=${field.pointer} field=${field} value=${valueAt(draft, field.pointer)} set=${set(field)} disabled=${!mayWrite} names=${namesFor(field)}
				errors=${shownAt(field.pointer)} changed=${!isNew && valueAt(patch, field.pointer) !== undefined} hint=${hints(field, valueAt(draft, field.pointer), valueAt(effective, field.pointer))}
				effective=${same(valueAt(draft, field.pointer), valueAt(stored, field.pointer)) ? valueAt(effective, field.pointer) : null} />`)}</${Group}>`)}
		${mayWrite && html`<${SaveBar} dirty=${dirty} what=${isNew ? `New ${noun(kind.kind)}` : plural(count, "change")} error=${error} shown=${besides} answer=${said.answer}
			comment=${comment} setComment=${setComment} busy=${busy} discard=${discard} act=${isNew ? "Create" : "Save"} saved=${saved} after=${after} />`}
		${conflict && html`<${Conflict} kind=${kind} title=${`${conflict.theirs.changed_by} changed ${stored.name} meanwhile`}
			told=${`Revision ${conflict.theirs.revision}, ${clockTime(conflict.theirs.changed_at)}.`} base=${root.current} mine=${draft} theirs=${conflict.theirs} onClose=${() => setConflict(null)} onChoose=${merged => resolve(merged, conflict.theirs, conflict.etag)} />`}
	</form>`;
}

export function DeleteDialog({ kind, name, onClose, onDone }) {
	const send = ({ dryRun, comment }) => call("DELETE", path(kind, name), { query: dryRun ? { dry_run: true } : { wait: "applied", comment } });
	return html`<${ChangeDialog} title=${`Delete ${noun(kind)} ${name}?`} send=${send} act="Delete" danger onClose=${onClose} onDone=${onDone} />`;
}
