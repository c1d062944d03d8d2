// The foot of a form: what the server says of what is typed, why it is done, and Save; afterwards, what came of it.
import { Effects } from "./change.js";
import { Fault } from "./dialog.js";
import { useSettled } from "./time.js";
import { html, useEffect, useState } from "./vendor/preact.js";
import { plural } from "./words.js";

const REHEARSE_MS = 250;

// {answer} or {error} of send(draft), a dry run, asked once the draft (text) rests; nothing unless it is wanted.
export function useRehearsal(send, draft, wanted) {
	const settled = useSettled(draft, REHEARSE_MS), [said, set] = useState({});
	useEffect(() => {
		let current = true;
		if (!wanted)
			set({});
		else
			send(settled).then(({ data }) => current && set({ answer: data }), error => current && set({ error }));
		return () => { current = false; };
	}, [settled, wanted]);
	return said;
}

const appliedWords = {
	yes: "The switch has acted on it.", pending: "The switch has not acted on it yet.", switchcore_down: "The switch is down: it will take it when it starts.",
	rejected: "The switch could not take it.",
};

export function Saved({ answer, after }) {
	return html`<p class="saved" role="status">${answer.changed ? html`Saved as <a href=${`#/history/${answer.revision}`}>revision ${answer.revision}</a>. ${appliedWords[answer.applied] || ""}` : "Nothing had changed."}${answer.changed && after}</p>
		${(answer.warnings || []).map(warning => html`<p class="warning">${warning.detail}</p>`)}`;
}

// dirty: something is typed; what: that, in words; error: of the last try or rehearsal; shown: it stands beside the fields; answer: of the rehearsal;
// saved: the answer of the last save, beside which `after` is offered
export function SaveBar({ dirty, what, error, shown, answer, comment, setComment, busy, discard, act = "Save", saved, after }) {
	if (!dirty && !saved)
		return null;
	return html`<div class="savebar" role="region" aria-label="Save">
		${dirty && html`<div class="says">${error && !shown && html`<${Fault} error=${error} />`}${error && shown && html`<p class="error">${plural(error.errors.length, "value is", "values are")} not right yet.</p>`}
				${answer && !error && html`<p><strong>${what}.</strong></p><${Effects} answer=${answer} />`}</div>
			<input class="why" name="comment" aria-label="Why? (kept in the history)" placeholder="Why? (kept in the history)" maxlength="1024" value=${comment} onInput=${event => setComment(event.target.value)} autocomplete="off" />
			<div class="buttons"><button type="button" class="secondary" onClick=${discard}>Discard</button><button type="submit" disabled=${busy} aria-busy=${busy}>${act}</button></div>`}
		${!dirty && saved && html`<${Saved} answer=${saved} after=${after} />`}</div>`;
}
