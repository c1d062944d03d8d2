// A revision, or one object as it was in it, made current again: as a new revision, after a look at what that would do.
import { call, path } from "./api.js";
import { ChangeDialog } from "./change.js";
import { html } from "./vendor/preact.js";
import { noun } from "./words.js";

// object: {kind, name}, or none: everything
const sender = (number, object) => ({ dryRun, comment }) => call("POST", path("revisions", String(number), "restore"), {
	body: object ? { kind: object.kind, name: object.name } : {}, query: dryRun ? { dry_run: true } : { wait: "applied", comment },
});

export function RestoreDialog({ number, object, onClose, onDone }) {
	const title = object ? `Make ${noun(object.kind)} ${object.name} as of revision ${number} current again?` : `Make all as of revision ${number} current again?`;
	return html`<${ChangeDialog} title=${title} send=${sender(number, object)} act="Make it current" onClose=${onClose} onDone=${onDone} />`;
}

// The states of an object that a revision holds: as it made it, and as it was before.
export function restorable(number, { op }) {
	const after = { number, text: "Restore as of here …" }, before = { number: number - 1, text: op === "delete" ? "Bring it back …" : "Restore as before this …" };
	return { create: [after], delete: [before] }[op] || [after, before];
}
