// Changes of fields as people read them.
import { html } from "./vendor/preact.js";
import { link } from "./route.js";
import { valueText } from "./schema.js";
import { noun, plural } from "./words.js";

const ops = { create: "new", update: "changed", delete: "deleted", put: "set", patch: "changed" };
const MOST = 20;	// objects shown at once

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

// diff: as the API answers it; kinds: of schema()
export function Diff({ diff, kinds }) {
	return html`<div class="diff">${diff.slice(0, MOST).map(object => html`<section key=${`${object.kind}/${object.name}`}>
		<h3><span class=${`op ${object.op}`}>${ops[object.op]}</span> ${noun(object.kind)} <a href=${objectLink(object.kind, object.name)}>${object.name}</a></h3>
		<table aria-label=${`${ops[object.op]} ${noun(object.kind)} ${object.name}`}><tbody>${fieldsOf(object, kinds?.get(object.kind)).map(field =>
			html`<${Field} key=${field.pointer} kind=${kinds?.get(object.kind)} field=${field} />`)}</tbody></table>
	</section>`)}
	${diff.length > MOST && html`<p>… and ${plural(diff.length - MOST, "more object")}.</p>`}
	${diff.length === 0 && html`<p>Nothing differs.</p>`}</div>`;
}
