// What GET /schema tells of kinds and fields; the panel knows no field by itself.
import { get } from "./api.js";

let asked;

// {kind → {kind, noun, fields, byPointer}}
export function schema() {
	asked ??= get("/schema").then(answer => new Map(answer.kinds.map(kind =>
		[kind.kind, { ...kind, byPointer: new Map(kind.fields.map(field => [field.pointer, field])) }])),
		error => { asked = undefined; throw error; });
	return asked;
}

// "sip/outbound-registration" → "Outbound registration"; beside groups of the object itself "sip/numbers" → "SIP numbers"
export function groupTitle(group, kind) {
	const [area, name = area] = group.split("/"), word = name.replaceAll("-", " ");
	return area === "sip" && kind !== "sip-parameters" ? `SIP ${word}` : word.charAt(0).toUpperCase() + word.slice(1);
}

export const grouped = fields => {
	const groups = new Map();
	for (const field of fields)
		groups.set(field.group, [...(groups.get(field.group) || []), field]);
	return groups;
};

const steps = pointer => pointer.split("/").slice(1);

export function valueAt(object, pointer) {
	return steps(pointer).reduce((value, step) => value?.[step], object);
}

export function withValue(object, pointer, value) {
	const [step, ...rest] = steps(pointer);
	const inner = rest.length ? withValue(object?.[step] || {}, `/${rest.join("/")}`, value) : value;
	return { ...object, [step]: inner };
}

export const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

const appliesWords = {
	live: "with the next message", new_calls: "to new calls", reregister: "by a new REGISTER of what uses it",
};
export const applies = field => `Applies ${appliesWords[field.applies] || field.applies}.`;

// A value as a person reads it.
export function valueText(field, value) {
	if (value === undefined || value === null)
		return "none";
	if (field?.secret || value?.set !== undefined)
		return value.set === false ? "not set" : "••••••";
	const option = field?.options.find(one => one.value === value);
	if (option)
		return option.label || String(value);
	if (Array.isArray(value))
		return value.length ? value.map(one => typeof one === "object" ? `${one.match || "any"} → ${one.replace || "nothing"}` : String(one)).join(", ") : "none";
	if (typeof value === "boolean")
		return value ? "On" : "Off";
	if (value === 0 && field?.zero_off)
		return "off";
	if (value === "")
		return "empty";
	if (typeof value === "object")
		return JSON.stringify(value);
	return `${value}${field?.unit && typeof value === "number" ? ` ${field.unit}` : ""}`;
}

// "20–7200 s or auto"
export function rangeText(field) {
	const list = field.type.endsWith("_list"), words = field.options.map(one => one.label || one.value);
	if (field.type === "int" || field.type === "int_or_keyword")
		return [field.zero_off && field.min && !field.help.includes("0 = off") ? "0 = off" : "", `${field.min}–${field.max}${field.unit ? ` ${field.unit}` : ""}`, ...(field.type === "int_or_keyword" ? words : [])]
			.filter(Boolean).join(" or ");
	if (list)
		return `At most ${field.max_items} items${field.type === "number_list" ? ` of ${field.min}–${field.max}${field.unit ? ` ${field.unit}` : ""}` : ""}`;
	return field.type === "text" ? `At most ${field.max} bytes` : "";
}
