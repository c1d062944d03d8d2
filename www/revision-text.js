// What a revision changed, in one line.
import { noun, plural } from "./words.js";

const words = { create: "created", update: "changed", delete: "deleted" };
const FEW = 3;

// A parameter by its title, all else by its name.
export const nameText = (kind, name, kinds) => (kind === "sip-parameters" && kinds?.get(kind)?.byPointer.get(`/${name}`)?.title) || name;

// "registration carrier-a changed; 1,000 registrations created: bulk-0, bulk-1, bulk-2, …"; wanted: the name that is told first
export function changeText(changes, kinds, wanted) {
	const groups = new Map();
	for (const { kind, name, op } of changes) {
		const key = `${kind} ${op}`, group = groups.get(key) || { kind, op, names: [] };
		group.names[name === wanted ? "unshift" : "push"](name);
		groups.set(key, group);
	}
	return [...groups.values()].map(({ kind, op, names }) => {
		const few = names.slice(0, FEW).map(name => nameText(kind, name, kinds)).join(", ");
		return names.length === 1 ? `${noun(kind)} ${few} ${words[op] || op}` : `${plural(names.length, noun(kind))} ${words[op] || op}: ${few}${names.length > FEW ? ", …" : ""}`;
	}).join("; ") || "nothing";
}
