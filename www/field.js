// The editor of one field, by its type in the schema.
import { rangeText, valueText } from "./schema.js";
import { html, useState } from "./vendor/preact.js";

const FEW = 5;		// options that stand side by side
const ERRORS = 4;	// of one field that are told

// Which item of a list is meant; the server counts from 0, people do not.
const itemOf = (error, field) => {
	const item = /^\/(\d+)/.exec(error.pointer.slice(field.pointer.length));
	return item ? `Item ${Number(item[1]) + 1}: ` : "";
};

// What was typed, as the number it is; else as it stands, so that the server can say what is wrong with it.
export function typed(text) {
	const trimmed = text.trim();
	return /^-?\d+(\.\d+)?$/.test(trimmed) ? Number(trimmed) : trimmed;
}

function Choice({ id, field, value, set, disabled, describedBy }) {
	if (field.options.length > FEW)
		return html`<select id=${id} disabled=${disabled} aria-describedby=${describedBy} onChange=${event => set(field.options[event.target.selectedIndex].value)}>
			${field.options.map(option => html`<option key=${String(option.value)} selected=${option.value === value}>${option.label}</option>`)}</select>`;
	return html`<div role="radiogroup" class="choice" id=${id} aria-labelledby=${`${id}-label`} aria-describedby=${describedBy}>${field.options.map(option => html`<label key=${String(option.value)}>
		<input type="radio" name=${id} checked=${option.value === value} disabled=${disabled} onChange=${() => set(option.value)} /><span>${option.label}${option.recommended && html`<span class="recommended" title="recommended"> ★<span class="hidden-text">recommended</span></span>`}</span></label>`)}</div>`;
}

function Text({ id, field, value, set, disabled, describedBy, numeric, placeholder, invalid, list }) {
	return html`<input id=${id} value=${value ?? ""} disabled=${disabled} inputmode=${numeric ? "numeric" : null} autocomplete="off" spellcheck=${false}
		placeholder=${placeholder} list=${list} aria-describedby=${describedBy} aria-invalid=${invalid ? "true" : null} class=${numeric ? "number" : null}
		onInput=${event => set(numeric ? typed(event.target.value) : event.target.value)} />`;
}

function KeywordOrNumber({ id, field, value, set, disabled, describedBy, invalid }) {
	const keyword = field.options.find(option => option.value === value), [last, keep] = useState(keyword ? field.min : value);
	const take = next => { keep(next); set(next); };
	return html`<div class="choice" role="radiogroup" id=${id} aria-labelledby=${`${id}-label`} aria-describedby=${describedBy}>
		${field.options.map(option => html`<label key=${option.value}><input type="radio" name=${id} checked=${option.value === value} disabled=${disabled} onChange=${() => set(option.value)} /><span>${option.label}</span></label>`)}
		<label><input type="radio" name=${id} checked=${!keyword} disabled=${disabled} aria-label=${field.unit === "s" ? "Seconds" : "Number"} onChange=${() => set(last)} />
			<span class="with-input"><input class="number" inputmode="numeric" aria-label=${`${field.title}${field.unit === "s" ? " in seconds" : ""}`} value=${keyword ? "" : value} disabled=${disabled}
				aria-invalid=${invalid ? "true" : null} placeholder=${`${field.min}–${field.max}`} onInput=${event => take(typed(event.target.value))} /> ${field.unit}</span></label></div>`;
}

function Secret({ id, value, set, disabled, describedBy, invalid }) {
	const stored = value?.set === true;
	return html`<div class="with-button"><input id=${id} type="password" autocomplete="new-password" disabled=${disabled} aria-describedby=${describedBy} aria-invalid=${invalid ? "true" : null}
		value=${typeof value === "string" ? value : ""} placeholder=${stored ? "••••••  kept as it is" : "not set"} onInput=${event => set(event.target.value || { set: stored })} />
		${(stored || typeof value === "string") && !disabled && html`<button type="button" class="secondary" onClick=${() => set(null)}>Clear</button>`}</div>`;
}

const words = text => text.split(/[,\s]+/).filter(Boolean);

// Items with commas or spaces between them; what stands there is kept while it is typed.
function List({ id, field, value, set, disabled, describedBy, invalid }) {
	const parse = text => words(text).map(word => field.type === "number_list" ? typed(word) : word);
	const [text, setText] = useState((value || []).join(", "));
	const shown = JSON.stringify(parse(text)) === JSON.stringify(value || []) ? text : (value || []).join(", ");
	return html`<input id=${id} value=${shown} disabled=${disabled} autocomplete="off" spellcheck=${false} aria-describedby=${describedBy} aria-invalid=${invalid ? "true" : null}
		placeholder=${field.name === "sources" ? "192.0.2.0/24, 198.51.100.7:5060" : ""} onInput=${event => { setText(event.target.value); set(parse(event.target.value)); }} />`;
}

function Rewrites({ id, field, value, set, disabled }) {
	const rules = value || [];
	const put = (i, rule) => set(rules.map((old, at) => at === i ? rule : old));
	return html`<div class="rewrites" id=${id} role="group" aria-labelledby=${`${id}-label`}>
		${rules.map((rule, i) => html`<div key=${i} class="rewrite">
			<input aria-label=${`Rule ${i + 1}: prefix`} placeholder="any" value=${rule.match} disabled=${disabled} onInput=${event => put(i, { ...rule, match: event.target.value })} />
			<span aria-hidden="true">→</span>
			<input aria-label=${`Rule ${i + 1}: replaced by`} placeholder="nothing" value=${rule.replace} disabled=${disabled} onInput=${event => put(i, { ...rule, replace: event.target.value })} />
			${!disabled && html`<button type="button" class="plain" aria-label=${`Remove rule ${i + 1}`} onClick=${() => set(rules.filter((_, at) => at !== i))}>×</button>`}</div>`)}
		${!disabled && html`<button type="button" class="secondary small" onClick=${() => set([...rules, { match: "", replace: "" }])}>Add a rule</button>`}</div>`;
}

function Reference({ id, field, value, set, disabled, describedBy, invalid, names }) {
	return html`<${Text} id=${id} field=${field} value=${value} disabled=${disabled} describedBy=${describedBy} invalid=${invalid} placeholder="none" list=${`${id}-names`} set=${text => set(text || null)} />
		<datalist id=${`${id}-names`}>${(names || []).slice(0, 1000).map(name => html`<option key=${name} value=${name} />`)}</datalist>`;
}

function editor(field) {
	if (field.secret)
		return Secret;
	if (field.options.length && field.type !== "int_or_keyword")
		return Choice;
	return { int_or_keyword: KeywordOrNumber, text_list: List, number_list: List, rewrite_list: Rewrites, reference: Reference }[field.type] || Text;
}

// errors: [{detail}] of the server; hint: what the value means; effective: {value, from} of a field that inherits; changed: differs from what is stored
export function Field({ field, value, set, errors = [], hint, effective, changed, disabled, names, extra }) {
	const id = `field${field.pointer.replaceAll("/", "-")}`, Editor = editor(field), about = `${id}-about`;
	const option = field.options.find(one => one.value === value), range = rangeText(field);
	return html`<div class=${`field${changed ? " changed" : ""}${errors.length ? " wrong" : ""}`} data-pointer=${field.pointer}>
		<label class="name" id=${`${id}-label`} for=${id}>${field.title}${field.required && html`<span class="needed" title="must be given"> *<span class="hidden-text">must be given</span></span>`}</label>
		<div class="edit">
			<div class="input"><${Editor} id=${id} field=${field} value=${value} set=${set} disabled=${disabled} describedBy=${about} invalid=${errors.length > 0} numeric=${field.type === "int"} names=${names} />
				${field.unit && field.type === "int" && html`<span class="unit">${field.unit}</span>`}</div>
			<div class="about" id=${about}>
				${errors.slice(0, ERRORS).map(error => html`<p class="error" role="alert">${itemOf(error, field)}${error.detail}</p>`)}
				${errors.length > ERRORS && html`<p class="error">… and ${errors.length - ERRORS} more like that</p>`}
				${effective && effective.from !== "own" && html`<p class="inherits">Takes ${valueText(field, effective.value)} from ${effective.from === "default" ? "the default" : effective.from}.</p>`}
				${hint && html`<p class="hint">${hint}</p>`}
				<p class="help">${option?.help || field.help}${range && html` <span class="range">${range}.</span>`}</p>
			</div>
		</div>
		${extra && html`<div class="extra">${extra}</div>`}
	</div>`;
}
