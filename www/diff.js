// Changes of fields as people read them.
import { html, useState } from "./vendor/preact.js";
import { link } from "./route.js";
import { valueText } from "./schema.js";
import { noun, plural } from "./words.js";

const ops = { create: "new", update: "changed", delete: "deleted", put: "set", patch: "changed" };
export const SHOWN = 20;	// objects at first
const MORE = 100;

export const objectLink = (kind, name) => kind === "sip-parameters" ? link(["parameters"], { q: name }) : link([kind, name]);

function Field({ kind, field }) {
	const described = kind?.byPointer.get(field.pointer);
	const shown = value => value === null || value === undefined ? null : valueText(described, value);
	const from = shown(field.from), to = shown(field.to);
	return html`<tr><th scope="row" title=${field.pointer}>${described?.title || field.pointer.slice(1)}</th>
		<td>${from !== null && html`<del>${from}</del>`}${from !== null && to !== null && html`<span class="to" aria-label="becomes"> → </span>`}${to !== null && html`<ins>${to}</ins>`}${from === null && to === null && "none"}</td></tr>`;
}

function fieldsOf(object, kind) {
	// Of a parameter its value says all; of a new object only what is not as it would be anyway.
	if (object.kind === "sip-parameters")
		return object.fields.filter(field => field.pointer === "/value").map(field => ({ ...field, pointer: `/${object.name}` }));
	const fallback = field => JSON.stringify(kind?.byPointer.get(field.pointer)?.default);
	if (object.op === "create")
		return object.fields.filter(field => JSON.stringify(field.to) !== fallback(field));
	if (object.op === "delete")
		return object.fields.filter(field => JSON.stringify(field.from) !== fallback(field));
	return object.fields;
}

// diff: as the API answers it; kinds: of schema(); tools(object): what can be done about one, beside its name
export function Diff({ diff, kinds, tools }) {
	const [most, show] = useState(SHOWN);
	return html`<div class="diff">${diff.slice(0, most).map(object => html`<section key=${`${object.kind}/${object.name}`}>
		<h3><span class=${`op ${object.op}`}>${ops[object.op]}</span> ${noun(object.kind)} <a href=${objectLink(object.kind, object.name)}>${object.name}</a></h3>${tools && tools(object)}
		<table aria-label=${`${ops[object.op]} ${noun(object.kind)} ${object.name}`}><tbody>${fieldsOf(object, kinds?.get(object.kind)).map(field =>
			html`<${Field} key=${field.pointer} kind=${kinds?.get(object.kind)} field=${field} />`)}</tbody></table>
	</section>`)}
	${diff.length > most && html`<p>… and ${plural(diff.length - most, "more object")}. <button type="button" class="secondary small" onClick=${() => show(most + MORE)}>Show ${Math.min(MORE, diff.length - most)} more</button></p>`}
	${diff.length === 0 && html`<p>Nothing differs.</p>`}</div>`;
}
