// SIP messages as a ladder: of a registration, a gateway, a number, a call, or of everything.
import { download, save } from "./api.js";
import { asText, Capture, depths, itemKey, MOST_PACKETS } from "./capture.js";
import { Fault } from "./dialog.js";
import { Ladder, Legend } from "./ladder.js";
import { need, tables } from "./live.js";
import { Message } from "./message.js";
import { link, setQuery } from "./route.js";
import { followed } from "./sip.js";
import { useStore } from "./store.js";
import { html, useEffect, useMemo, useState } from "./vendor/preact.js";
import { plural } from "./words.js";

const filterNames = ["registration", "gateway", "number", "call_id", "call", "record", "since"];

// What is shown, as long as the same is asked for; and what follows it.
function useCapture(query, depth, following) {
	const key = JSON.stringify([filterNames.map(name => query[name] || ""), depth]);
	const capture = useMemo(() => new Capture(query, depth), [key]);
	useEffect(() => {
		capture.load();
		return () => capture.close();
	}, [capture]);
	useEffect(() => following ? capture.follow() : undefined, [capture, following]);
	return [capture, useStore(capture.store)];
}

// Taken when it is left or Enter is pressed: half a name is nobody's.
function Filter({ name, label, value, names, set }) {
	return html`<label>${label}<input type="search" name=${name} value=${value || ""} list=${names ? `trace-${name}` : null} autocomplete="off" spellcheck="false" onChange=${event => set({ [name]: event.target.value.trim() })} />
		${names && html`<datalist id=${`trace-${name}`}>${names.map(one => html`<option key=${one} value=${one}></option>`)}</datalist>`}</label>`;
}

function Filters({ query, call, set }) {
	const registrations = useStore(tables.registrations), routing = useStore(tables["routing-gateways"]), mapping = useStore(tables["mapping-gateways"]);
	useEffect(() => ["registrations", "routing-gateways", "mapping-gateways"].forEach(need), []);
	const gateways = [...new Set([...routing.rows.keys(), ...mapping.rows.keys()])].sort();
	return html`<form class="pick" aria-label="Which messages" onSubmit=${event => event.preventDefault()}>
		<${Filter} name="registration" label="Registration" value=${query.registration} names=${[...registrations.rows.keys()].sort()} set=${set} />
		<${Filter} name="gateway" label="Gateway" value=${query.gateway} names=${gateways} set=${set} />
		<${Filter} name="number" label="Number" value=${query.number} set=${set} />
		${query.call || query.record ? html`<p class="of-call"><span class="faint">Call</span><span>${call ? `${call.caller_in || "?"} → ${call.callee_in || "?"}${call.live ? ", now" : ""} ` : "… "}<button type="button" class="secondary small" onClick=${() => set({ call: "", record: "" })}>All messages</button></span></p>`
			: html`<${Filter} name="call_id" label="Call-ID" value=${query.call_id} set=${set} />`}</form>`;
}

// One line for each Call-ID: what it began with and how that ended.
function dialogs(lines) {
	const all = new Map();
	for (const { item, facts: told } of lines) {
		const one = all.get(item.call_id) || { id: item.call_id, first: told, registration: item.registration, count: 0, answer: null };
		one.count++;
		if (told.code >= 200 && told.method === one.first.method)
			one.answer = told;
		all.set(item.call_id, one);
	}
	return [...all.values()];
}

const user = header => /sips?:([^@;>]+)@/.exec(header)?.[1] || /<?sips?:([^;>]+)/.exec(header)?.[1] || "";
const MOST_DIALOGS = 100;

function Dialogs({ lines }) {
	const all = useMemo(() => dialogs(lines), [lines]);
	if (all.length < 2)
		return null;
	return html`<details class="dialogs"><summary>${plural(all.length, "Call-ID")} in it</summary><ul>${all.slice(-MOST_DIALOGS).reverse().map(one => html`<li key=${one.id}>
		<a href=${link(["trace"], { call_id: one.id })}>${one.first.method} ${one.registration || `${user(one.first.from)} → ${user(one.first.to)}`}</a> <span class="faint">${one.answer ? one.answer.label : "no answer seen"}, ${plural(one.count, "message")}</span></li>`)}</ul>
		${all.length > MOST_DIALOGS && html`<p class="foot">The ${MOST_DIALOGS} newest.</p>`}</details>`;
}

function Downloads({ capture, items, onError }) {
	const [busy, setBusy] = useState(false);
	const packets = async () => {
		setBusy(true);
		onError(null);
		await capture.packetsQuery().then(query => download("/trace", query, "application/vnd.tcpdump.pcap", "tandem.pcap")).catch(onError);
		setBusy(false);
	};
	return html`<span class="tools"><button type="button" class="secondary small" disabled=${!items.length || busy} aria-busy=${busy} title=${items.length > MOST_PACKETS ? `The newest ${MOST_PACKETS.toLocaleString()} messages, for Wireshark` : "For Wireshark"} onClick=${packets}>Download pcap${items.length > MOST_PACKETS ? ` (newest ${MOST_PACKETS.toLocaleString()})` : ""}</button>
		<button type="button" class="secondary small" disabled=${!items.length} onClick=${() => save(new Blob([asText(items)], { type: "text/plain" }), "tandem.txt")}>Download text</button></span>`;
}

function namesOf(query, call) {
	if (call)
		return { caller: call.mapping_gateway || "caller", callee: call.routing_gateway || "callee" };
	return query.registration ? { callee: query.registration } : {};
}

const about = (query, call) => call ? `the call from ${call.caller_in} to ${call.callee_in}` : query.registration || query.gateway || query.number || query.call_id || "everything";

export function Trace({ query }) {
	const [wish, setDepth] = useState({ of: "", depth: 0 }), [chosen, choose] = useState({ key: null, moved: 0 }), [failed, setFailed] = useState(null);
	const of = JSON.stringify(filterNames.map(name => query[name] || "")), depth = wish.of === of ? wish.depth : 0, following = query.follow === "1";
	const [capture, state] = useCapture(query, depths[depth], following), { items, call } = state;
	const lines = useMemo(() => followed(items), [items]), names = namesOf(query, call);
	const index = lines.findIndex(one => itemKey(one.item) === chosen.key);
	const set = more => setQuery({ ...query, ...more });
	const pick = (key, byKeyboard) => choose(old => ({ key, moved: byKeyboard ? 0 : old.moved + 1 }));
	return html`<div class="head"><h1>Trace</h1><label class="switch"><input type="checkbox" role="switch" checked=${following} onChange=${event => set({ follow: event.target.checked ? "1" : "" })} /> Follow</label>
			<${Downloads} capture=${capture} items=${items} onError=${setFailed} /></div>
		<${Filters} query=${query} call=${call} set=${more => set({ ...more, since: "" })} />
		<${Fault} error=${failed || state.error} />
		<div class="trace-above"><p class="foot" role="status">${state.state === "loading" && !items.length ? "Being loaded …" : `${items.length >= depths[depths.length - 1] ? "The newest " : ""}${plural(items.length, "message")} of ${about(query, call)}${following ? ", and those that come" : ""}`}</p>
			${state.older && html`<button type="button" class="secondary small" onClick=${() => setDepth({ of, depth: depth + 1 })}>${depth + 2 < depths.length ? `Older: the last ${depths[depth + 1].toLocaleString()}` : `Older: all that is kept, at most ${depths[depth + 1].toLocaleString()}`}</button>`}</div>
		${items.length > 0 ? html`<div class=${index >= 0 ? "trace with-detail" : "trace"}><${Ladder} followed=${lines} names=${names} selected=${chosen.key} onPick=${pick} following=${following} label=${`Messages of ${about(query, call)}`} />
				${index >= 0 && html`<${Message} one=${lines[index]} number=${index} total=${lines.length} moved=${chosen.moved} onPick=${item => pick(itemKey(item), false)} onClose=${() => choose({ key: null, moved: 0 })} />`}</div>
			${call?.tried?.length > 1 && html`<p class="foot">${call.tried.length} gateways were tried, each with a Call-ID of its own; the last one's is here. <a href=${link(["trace"], { number: call.routed || call.callee_in, since: call.setup_at })}>All messages with ${call.routed || call.callee_in} since then</a></p>`}
			<${Legend} /><${Dialogs} lines=${lines} />`
			: state.state === "loaded" && !state.error && html`<p class="empty">No message of that is kept.${following ? " What comes will be shown." : ""}</p>`}`;
}
