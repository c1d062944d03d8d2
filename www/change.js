// A change that is looked at before it is made: what differs, what it does to the switch, what the server warns of, and why.
import { change } from "./api.js";
import { Dialog, Fault } from "./dialog.js";
import { SHOWN } from "./diff.js";
import { Glyph } from "./glyph.js";
import { LongDiff } from "./long-diff.js";
import { changeText } from "./revision-text.js";
import { schema } from "./schema.js";
import { useLoad } from "./store.js";
import { html, useEffect, useRef, useState } from "./vendor/preact.js";
import { effectsText } from "./words.js";

export const setSender = set => options => change(set, options);

export function Effects({ answer }) {
	const count = answer.effects?.reregister?.count || 0, names = answer.effects?.reregister?.names || [];
	return html`<p class="effects"><${Glyph} name=${count ? "wait" : "good"} /> ${effectsText(answer.effects)}${names.length > 0 &&
		html`<span class="names">: ${names.join(", ")}${count > names.length ? ", …" : ""}</span>`}.</p>
		${(answer.warnings || []).map(warning => html`<p class="effects"><${Glyph} name="warning" label="Warning" /> ${warning.detail}</p>`)}`;
}

// send({dryRun, comment}) makes or rehearses the change; onDone(answer) after it was made.
export function ChangeDialog({ title, send, act = "Apply", danger, onClose, onDone }) {
	const [comment, setComment] = useState(""), [busy, setBusy] = useState(false), [failed, setFailed] = useState(null);
	const rehearsal = useLoad(() => Promise.all([send({ dryRun: true }), schema()]), []);
	const [answer, kinds] = rehearsal.data || [];
	const make = async event => {
		event.preventDefault();
		setBusy(true);
		try {
			const { data } = await send({ comment });
			onDone(data);
		} catch (error) {
			setFailed(error);
			setBusy(false);
		}
	};
	const nothing = answer && !answer.data.changed, why = useRef(null);
	useEffect(() => why.current?.focus(), [answer]);
	return html`<${Dialog} title=${title} onClose=${onClose} wide><form onSubmit=${make}>
		${!answer && !rehearsal.error && html`<p aria-busy="true">Looking at what it would do …</p>`}
		<${Fault} error=${failed || rehearsal.error} />
		${nothing && html`<p>Everything is like that already: nothing to change.</p>`}
		${answer && !nothing && html`<${Effects} answer=${answer.data} />${answer.data.diff.length > SHOWN && html`<p>${changeText(answer.data.diff, kinds)}</p>`}
			<div class="preview" tabindex="0" role="region" aria-label="What differs"><${LongDiff} diff=${answer.data.diff} kinds=${kinds} /></div>
			<label>Why? <small>(kept in the history)</small><input ref=${why} name="comment" maxlength="1024" value=${comment} onInput=${event => setComment(event.target.value)} autocomplete="off" /></label>`}
		<footer><button type="button" class="secondary" onClick=${onClose}>Cancel</button>
			<button type="submit" class=${danger ? "danger" : null} disabled=${!answer || nothing || busy} aria-busy=${busy}>${act}</button></footer>
	</form></${Dialog}>`;
}
