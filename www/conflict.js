// Two people changed the same thing: both versions side by side, and a choice for each field.
import { Dialog } from "./dialog.js";
import { same, valueAt, valueText, withValue } from "./schema.js";
import { html, useState } from "./vendor/preact.js";

// title, told: who changed what, and when; base, mine, theirs: objects with the fields of kind
export function Conflict({ kind, title, told, base, mine, theirs, onClose, onChoose }) {
	const changedBy = object => kind.fields.filter(field => !same(valueAt(object, field.pointer), valueAt(base, field.pointer)));
	const ours = new Set(changedBy(mine)), fields = kind.fields.filter(field => ours.has(field) || changedBy(theirs).includes(field));
	const [take, setTake] = useState(Object.fromEntries(fields.map(field => [field.pointer, ours.has(field) ? "mine" : "theirs"])));
	const choose = event => {
		event.preventDefault();
		onChoose(fields.reduce((merged, field) => take[field.pointer] === "mine" ? withValue(merged, field.pointer, valueAt(mine, field.pointer)) : merged, { ...theirs }));
	};
	const side = (field, which, object) => html`<td class=${take[field.pointer] === which ? "taken" : null}><label><input type="radio" name=${`take${field.pointer}`} checked=${take[field.pointer] === which}
		onChange=${() => setTake({ ...take, [field.pointer]: which })} /> ${valueText(field, valueAt(object, field.pointer))}</label></td>`;
	return html`<${Dialog} title=${title} onClose=${onClose} wide><form onSubmit=${choose}>
		<p>${told} Choose what shall stand; nothing of yours is stored yet.</p>
		<table class="conflict"><thead><tr><th scope="col">Field</th><th scope="col">Before</th><th scope="col">Theirs</th><th scope="col">Yours</th></tr></thead>
		<tbody>${fields.map(field => html`<tr key=${field.pointer}><th scope="row">${field.title}</th><td>${valueText(field, valueAt(base, field.pointer))}</td>
			${side(field, "theirs", theirs)}${side(field, "mine", mine)}</tr>`)}</tbody></table>
		<footer><button type="button" class="secondary" onClick=${onClose}>Go on editing</button><button type="submit">Save the choice</button></footer>
	</form></${Dialog}>`;
}
