/*
 * What the API description needs beside the tables: the shapes of answers.  Written as JSON with ' for ".  An object that says
 * nothing else has all its "properties" always, and no others; "optional" names those that may be missing (see shape.h).
 */
#include "mgmtd/description.h"

#include "mgmtd/core.h"
#include "shm/status.h"

#include <stdlib.h>
#include <string.h>

struct component { const char *name, *text; };

#define TEXT "{'type':'string'}"
#define TEXT_OR_NULL "{'type':['string','null']}"
#define WHOLE "{'type':'integer','minimum':0}"
#define WHOLE_OR_NULL "{'type':['integer','null'],'minimum':0}"
#define NUMBER_OR_NULL "{'type':['number','null'],'minimum':0}"
#define FLAG "{'type':'boolean'}"
#define FLAG_OR_NULL "{'type':['boolean','null']}"
#define TIME "{'type':'string','format':'date-time'}"
#define TIME_OR_NULL "{'type':['string','null'],'format':'date-time'}"
#define HASH "{'type':'string','pattern':'^[0-9a-f]{64}$'}"
#define REF(name) "{'$ref':'#/components/schemas/" name "'}"
#define LIST_OF(item) "{'type':'array','items':" item "}"
#define PAGE_OF(name) "{'type':'object','required':['items','next','revision'],'properties':{'items':" LIST_OF(REF(name)) \
	",'next':" TEXT_OR_NULL ",'revision':" WHOLE "}}"

#define USER_WRITE(required) "{'type':'object','required':[" required "],'additionalProperties':false,'properties':{'username':" REF("Name") \
	",'role':" REF("Role") ",'password':" REF("NewPassword") ",'must_change_password':" FLAG ",'changed_at':{},'changed_by':{}}}"

static const struct component components[] = {
	{ "Problem", "{'type':'object','required':['type','title','status','detail','request_id'],'properties':{'type':{'type':'string','pattern':"
	  "'^/problems/[a-z_]+$'},'title':" TEXT ",'status':{'type':'integer','minimum':400,'maximum':599},'detail':" TEXT ",'request_id':"
	  "{'type':'string','pattern':'^([0-9a-f]{8}-[0-9]+)?$'},'errors':" LIST_OF(REF("Violation")) "}}" },
	{ "Violation", "{'type':'object','required':['pointer','code','detail'],'properties':{'pointer':{'type':'string','description':"
	  "'Where in the body (RFC 6901).'},'parameter':{'type':'string','description':'Which query parameter.'},'code':{'type':'string',"
	  "'pattern':'^[a-z_]+$'},'detail':" TEXT ",'min':{'type':'number'},'max':{'type':'number'},'got':{},'options':{'type':'array'},"
	  "'referrers':" LIST_OF("{'type':'object','properties':{'kind':" TEXT ",'name':" TEXT ",'field':" TEXT "}}") ",'conflict':{'type':'object',"
	  "'properties':{'kind':" TEXT ",'name':" TEXT "}},'line':" WHOLE ",'column':" WHOLE "}}" },
	{ "WriteAnswer", "{'type':'object','optional':['dry_run','effects','confirm_by','changes'],'properties':{'revision':"
	  WHOLE_OR_NULL ",'changed':" FLAG ",'published_generation':" WHOLE_OR_NULL ",'confirm_by':{'type':'string','format':'date-time','description':"
	  "'Until when it must be confirmed.'},'applied':{'type':['string','null'],'enum':[]},"
	  "'dry_run':" FLAG ",'changes':{'type':'object','description':'Of PUT /config, whose diff has the first 100 only: how many objects.',"
	  "'properties':{'create':" WHOLE ",'update':" WHOLE ",'delete':" WHOLE "}},'effects':{'type':'object','properties':{'reregister':{'type':'object','properties':{'count':" WHOLE
	  ",'names':" LIST_OF(REF("Name")) "}}}},'diff':" LIST_OF(REF("Difference")) ",'warnings':" LIST_OF(REF("Violation"))
	  ",'resource':{}}}" },
	{ "Change", "{'type':'object','properties':{'kind':{'type':'string','enum':[]},'name':" REF("Name") ",'op':{'type':'string','enum':"
	  "['create','update','delete']}}}" },
	{ "Difference", "{'allOf':[" REF("Change") ",{'properties':{'fields':" LIST_OF("{'type':'object','properties':{'pointer':{'type':'string',"
	  "'pattern':'^/'},'from':{},'to':{}}}") "}}]}" },
	{ "ChangeDetail", "{'allOf':[" REF("Difference") ",{'properties':{'before':{'type':['object','null']},'after':{'type':['object','null']}}}]}" },
	{ "Effective", "{'type':'object','additionalProperties':{'anyOf':[" REF("EffectiveValue") ",{'type':'object','additionalProperties':"
	  REF("EffectiveValue") "}]}}" },
	{ "EffectiveValue", "{'type':'object','properties':{'value':{'type':['integer','string','boolean']},'from':" TEXT "}}" },
	{ "SealedSecrets", "{'type':'object','required':['kdf','opslimit','memlimit','salt','check'],'additionalProperties':false,'properties':{"
	  "'kdf':{'type':'string','enum':['argon2id13']},'opslimit':{'type':'integer','minimum':1,'maximum':10},'memlimit':{'type':'integer',"
	  "'minimum':8192,'maximum':268435456},'salt':" TEXT ",'check':" TEXT "}}" },
	{ "ExportRequest", "{'type':'object','required':['passphrase'],'additionalProperties':false,'properties':{'passphrase':{'type':'string',"
	  "'minLength':12,'maxLength':1024,'writeOnly':true}}}" },
	{ "BackupRequest", "{'type':'object','required':['include_key'],'additionalProperties':false,'properties':{'include_key':{'type':'boolean',"
	  "'description':'Put the key beside it that opens the secrets in it: without that key they are lost, with it whoever reads the backup "
	  "has them.'}}}" },
	{ "Backup", "{'type':'object','required':['name','revision','at','bytes','files'],'properties':{'name':{'type':'string','description':"
	  "'Of the directory below `backups` in the state directory.'},'revision':" WHOLE ",'at':" TIME ",'bytes':" WHOLE ",'files':" LIST_OF(TEXT) "}}" },
	{ "ChangeSet", "{'type':'object','required':['changes'],'additionalProperties':false,'properties':{'comment':{'type':['string','null'],"
	  "'maxLength':1024},'changes':{'type':'array','items':{'type':'object','required':['op','kind','name'],'additionalProperties':false,"
	  "'properties':{'op':{'type':'string','enum':['put','patch','delete']},'kind':{'type':'string','enum':[]},'name':" REF("Name")
	  ",'value':{}}}}}}" },
	{ "Name", "{'type':'string','minLength':1,'maxLength':63,'pattern':'^[A-Za-z0-9_][A-Za-z0-9._-]*$'}" },
	{ "Revision", "{'type':'object','required':['revision','at','actor','address','token','comment','request_id','changes'],'properties':{"
	  "'revision':" WHOLE ",'at':" TIME ",'actor':" TEXT ",'address':" TEXT ",'token':" TEXT_OR_NULL ",'comment':" TEXT_OR_NULL
	  ",'request_id':" TEXT ",'changes':" LIST_OF(REF("Change")) "}}" },
	{ "RevisionDetail", "{'allOf':[" REF("Revision") ",{'type':'object','properties':{'changes':"
	  LIST_OF(REF("ChangeDetail")) ",'hash':" HASH ",'prev_hash':" HASH ",'confirmation':{'type':['object','null'],'description':'Of a change made with confirm_within.','required':"
	  "['state','confirm_by'],'properties':{'state':{'type':'string','enum':['pending','confirmed','rolled_back','failed']},'confirm_by':" TIME
	  ",'settled_at':" TIME_OR_NULL ",'settled_by':" TEXT_OR_NULL ",'rolled_back_by':{'type':['integer','null'],'description':'The revision "
	  "that took it back; null when nothing was left to take back.'},'detail':" TEXT_OR_NULL "}}}}]}" },
	{ "Confirmed", "{'type':'object','required':['revision','state'],'properties':{'revision':" WHOLE ",'state':{'type':'string','enum':"
	  "['confirmed']}}}" },
	{ "Restore", "{'type':'object','optional':['kind','name'],'additionalProperties':false,'dependentRequired':{'kind':['name'],'name':['kind']},'properties':{'kind':"
	  "{'type':'string','enum':[]},'name':" REF("Name") "}}" },
	{ "Audit", "{'type':'object','required':['valid','revisions','first_bad','why','head'],'properties':{'valid':" FLAG ",'revisions':" WHOLE
	  ",'first_bad':{'type':['integer','null'],'description':'The oldest revision at which something is wrong.'},'why':" TEXT_OR_NULL
	  ",'head':" REF("AuditHead") "}}" },
	{ "AuditHead", "{'type':'object','required':['revision','hash'],'properties':{'revision':" WHOLE ",'hash':{'type':'string','pattern':"
	  "'^[0-9a-f]{64}$'}}}" },
	{ "RevisionsDiff", "{'type':'object','required':['from','to','diff'],'properties':{'from':" WHOLE ",'to':" WHOLE ",'diff':"
	  LIST_OF(REF("Difference")) "}}" },
	{ "RevisionPage", PAGE_OF("Revision") },
	{ "ParameterPage", PAGE_OF("Parameter") },
	{ "FieldDescription", "{'type':'object','properties':{'name':" TEXT ",'type':{'type':'string','pattern':'^[a-z_]+$'},'default':{},'min':"
	  "{'type':['number','null']},'max':{'type':['number','null']},'min_items':" WHOLE_OR_NULL ",'max_items':" WHOLE_OR_NULL ",'options':"
	  LIST_OF("{'type':'object','properties':{'value':{},'label':" TEXT ",'help':" TEXT ",'recommended':" FLAG "}}") ",'unit':{'type':'string',"
	  "'enum':['','s']},'applies':{'type':'string','enum':['live','new_calls','reregister']},'group':" TEXT ",'title':" TEXT ",'direction':"
	  "{'type':'string','enum':['outbound','inbound','both']},'see_also':" LIST_OF(TEXT) ",'help':" TEXT "}}" },
	{ "Parameter", "{'allOf':[" REF("FieldDescription") ",{'properties':{'value':{},'source':{'type':'string','enum':['default','set']},"
	  "'revision':" WHOLE ",'changed_at':" TIME_OR_NULL ",'changed_by':" TEXT_OR_NULL "}}]}" },
	{ "SchemaField", "{'allOf':[" REF("FieldDescription") ",{'properties':{'required':" FLAG ",'secret':" FLAG ",'zero_off':" FLAG
	  ",'zero_inherits':" FLAG ",'pointer':" TEXT ",'refers_to':" TEXT_OR_NULL ",'inherits':" TEXT_OR_NULL "}}]}" },
	{ "RegistrationStatus", "{'type':'object','properties':{'name':" REF("Name") ",'state':{'type':['string','null'],'enum':[]},'reason':"
	  "{'type':['string','null'],'enum':[]},'detail':" TEXT_OR_NULL ",'since':" TIME_OR_NULL ",'stale':" FLAG ",'refreshing':" FLAG_OR_NULL
	  ",'last_code':" WHOLE_OR_NULL ",'last_phrase':" TEXT_OR_NULL ",'remote_address':" TEXT_OR_NULL ",'contact':" TEXT_OR_NULL
	  ",'call_id':" TEXT_OR_NULL ",'listener':" TEXT_OR_NULL ",'requested_expiry':" WHOLE_OR_NULL ",'granted_expiry':" WHOLE_OR_NULL
	  ",'raised_to':" WHOLE_OR_NULL ",'registered_at':" TIME_OR_NULL ",'binding_expires_at':" TIME_OR_NULL ",'next_attempt_at':"
	  TIME_OR_NULL ",'retry_after':" WHOLE_OR_NULL ",'attempts':" WHOLE_OR_NULL ",'failures':" WHOLE_OR_NULL
	  ",'consecutive_failures':" WHOLE_OR_NULL ",'attempts_last_hour':" WHOLE_OR_NULL ",'rtt_ms':" NUMBER_OR_NULL
	  ",'nat':{'type':'object','required':['detected','local','public'],'properties':{'detected':" FLAG_OR_NULL ",'local':" TEXT_OR_NULL
	  ",'public':" TEXT_OR_NULL "}},'incarnation':" WHOLE "}}" },
	{ "Attempt", "{'type':'object','properties':{'at':" TIME ",'kind':{'type':'string','enum':[]},'target':" TEXT_OR_NULL ",'code':"
	  WHOLE_OR_NULL ",'phrase':" TEXT_OR_NULL ",'rtt_ms':" NUMBER_OR_NULL ",'requested_expiry':" WHOLE_OR_NULL ",'granted_expiry':"
	  WHOLE_OR_NULL ",'since_previous_s':" NUMBER_OR_NULL ",'planned_s':" NUMBER_OR_NULL "}}" },
	{ "AttemptPage", "{'type':'object','required':['items','next','revision','stale'],'properties':{'items':" LIST_OF(REF("Attempt"))
	  ",'next':{'type':'null'},'revision':" WHOLE ",'stale':" FLAG "}}" },
	{ "Switchcore", "{'type':'object','properties':{'state':{'type':'string','enum':['up','down','mismatch']},'version':" TEXT_OR_NULL
	  ",'pid':" WHOLE_OR_NULL ",'uptime_s':" WHOLE_OR_NULL ",'applied_revision':" WHOLE_OR_NULL ",'heartbeat_age_ms':" WHOLE_OR_NULL
	  ",'detail':" TEXT_OR_NULL "}}" },
	{ "Status", "{'type':'object','properties':{'mgmtd':{'type':'object','properties':{'version':" TEXT ",'uptime_s':" WHOLE
	  ",'stored_revision':" WHOLE ",'published_generation':" WHOLE ",'store':{'type':'string','enum':['available','unavailable']}}},"
	  "'switchcore':" REF("Switchcore") ",'registrations':{'type':'object','properties':{'total':" WHOLE ",'by_state':{'type':'object',"
	  "'additionalProperties':" WHOLE "}}},'calls':{'type':'object','properties':{'active':" WHOLE_OR_NULL ",'per_second':" WHOLE_OR_NULL
	  "}},'segment':{'type':'object','properties':{'pages_used':" WHOLE ",'pages_total':" WHOLE "}},"
	  "'cdrs':{'type':'object','properties':{'spool_files':" WHOLE ",'spool_bytes':" WHOLE ",'lost':" WHOLE_OR_NULL "}}}}" },
	{ "GatewayStatus", "{'type':'object','optional':['kind'],'properties':{'name':" REF("Name") ",'kind':{'type':'string','description':'Only in events.'}"
	  ",'routable':{'type':['boolean','null'],'description':'Takes a new call now.'},'why':{'type':['string','null'],'description':"
	  "'Why not, in words.'},'calls':" WHOLE_OR_NULL ",'capacity':{'type':['integer','null'],'description':'0 = no limit.'},'cps':{'type':"
	  "['integer','null'],'description':'New calls in the last second.'},'max_cps':{'type':['integer','null'],'description':'0 = no limit.'}"
	  ",'calls_total':" WHOLE_OR_NULL ",'answered_total':" WHOLE_OR_NULL ",'last_hour':{'type':'object','properties':{'calls':" WHOLE_OR_NULL
	  ",'answered':" WHOLE_OR_NULL ",'asr':{'type':['number','null'],'description':'Answered out of calls, in per cent.'},'acd_s':{'type':"
	  "['number','null'],'description':'Mean length of the answered calls that ended.'}}},'last_codes':{'type':['array','null'],'items':"
	  "{'type':'object','properties':{'at':" TIME_OR_NULL ",'code':" WHOLE_OR_NULL "}},'description':'Final codes, the newest first; 408 = "
	  "time-out.'},'probe':{'type':'object','properties':{'state':{'type':['string','null'],'enum':[]},'since':" TIME_OR_NULL ",'at':"
	  TIME_OR_NULL ",'code':" WHOLE_OR_NULL ",'rtt_ms':" NUMBER_OR_NULL "}},'held_until':{'type':['string','null'],'format':'date-time',"
	  "'description':'By Retry-After.'},'incarnation':" WHOLE ",'stale':" FLAG "}}" },
	{ "CallId", "{'type':'string','pattern':'^[0-9a-f]{16}$'}" },
	{ "Call", "{'type':'object','properties':{'id':" REF("CallId") ",'phase':{'type':'string','enum':[]},'mapping_gateway':" TEXT_OR_NULL
	  ",'routing_gateway':" TEXT_OR_NULL ",'registration':" TEXT_OR_NULL ",'caller_in':" TEXT_OR_NULL ",'callee_in':" TEXT_OR_NULL
	  ",'caller_out':" TEXT_OR_NULL ",'routed':" TEXT_OR_NULL ",'call_id_in':" TEXT_OR_NULL ",'call_id_out':" TEXT_OR_NULL ",'setup_at':"
	  TIME_OR_NULL ",'ringing_at':" TIME_OR_NULL ",'answered_at':" TIME_OR_NULL ",'duration_ms':{'type':['integer','null'],'description':"
	  "'Since the answer.'},'code':" WHOLE_OR_NULL "}}" },
	{ "CallPage", "{'type':'object','required':['items','next','revision','stale'],'properties':{'items':" LIST_OF(REF("Call")) ",'next':"
	  TEXT_OR_NULL ",'revision':" WHOLE ",'stale':{'type':'boolean','description':'The switch is down, and no call is known.'}}}" },
	{ "RegisterPreviewRequest", "{'type':'object','required':['registration'],'additionalProperties':false,'properties':{'registration':"
	  REF("Name") "}}" },
	{ "InvitePreviewRequest", "{'type':'object','required':['mapping_gateway','callee','caller'],'additionalProperties':false,'properties':{"
	  "'mapping_gateway':" REF("Name") ",'callee':{'type':'string','minLength':1,'maxLength':128},'caller':{'type':'string','maxLength':128},"
	  "'invite_use_contact':{'type':'string','enum':['inherit','on','off'],'default':'inherit','description':'As if the routing gateway that is "
	  "chosen had this setting; inherit: as it is configured.'}}}" },
	{ "VerifyRequest", "{'type':'object','required':['mapping_gateway','callee','caller'],'additionalProperties':false,'properties':{"
	  "'mapping_gateway':" REF("Name") ",'callee':{'type':'string','minLength':1,'maxLength':128},'caller':{'type':'string','maxLength':128},"
	  "'watch_s':{'type':'integer','minimum':1,'maximum':60,'default':30}}}" },
	{ "Preview", "{'type':'object','required':['target','routing_gateway','message','headers','refused'],'properties':{'target':{'type':"
	  "['string','null'],'description':'Transport and address, as udp:192.0.2.1:5060.'},'routing_gateway':" TEXT_OR_NULL ",'message':{'type':"
	  "['string','null'],'description':'As it would go out; branch, CSeq and Call-ID of a real call are its own.'},'headers':{'type':"
	  "['object','null'],'additionalProperties':" TEXT_OR_NULL "},'refused':{'type':['object','null'],'description':'Instead of all the "
	  "rest, but for what is known of the call: the switch would send nothing.','properties':{'code':{'type':['integer','null'],'description':'What a caller would get.'},"
	  "'reason':" TEXT_OR_NULL "}}}}" },
	{ "InvitePreview", "{'allOf':[" REF("Preview") ",{'type':'object','required':['invite_use_contact','numbers','skipped'],'properties':{"
	  "'invite_use_contact':{'type':['string','null'],'enum':['on','off',null],'description':'The mode in force.'},'numbers':{'type':'object',"
	  "'description':'As they go through the switch, under the names of a call record where it has them; of a refused call, null is what it did "
	  "not come to.','properties':{'callee_in':" TEXT_OR_NULL ",'original':" TEXT_OR_NULL ",'mapped':{'type':['string','null'],'description':"
	  "'After the mapping gateway has rewritten callee_in: what is routed.'},'prefix':{'type':['string','null'],'description':'Of the routing "
	  "gateway, by which it was found; empty: it catches all.'},'routed':" TEXT_OR_NULL ",'request_uri_out':" TEXT_OR_NULL ",'to_out':"
	  TEXT_OR_NULL ",'caller_in':" TEXT_OR_NULL ",'caller_mapped':" TEXT_OR_NULL ",'caller_out':" TEXT_OR_NULL "}},'skipped':"
	  LIST_OF("{'type':'object','required':['gateway','why'],'properties':{'gateway':" TEXT ",'why':" TEXT_OR_NULL "}}") "}}]}" },
	{ "Verification", "{'allOf':[" REF("InvitePreview") ",{'type':'object','required':['seen','fields'],'properties':{'seen':{'type':['object',"
	  "'null'],'description':'null: none came in that time.','properties':{'seq':" WHOLE ",'at':" TIME ",'call_id':" TEXT_OR_NULL
	  ",'target':" TEXT_OR_NULL ",'message':" TEXT "}},'fields':" LIST_OF("{'type':'object','required':['field','expected','seen','match'],"
	  "'properties':{'field':" TEXT ",'expected':" TEXT_OR_NULL ",'seen':" TEXT_OR_NULL ",'match':" FLAG "}}") "}}]}" },
	{ "Cdr", "{'type':'object','properties':{'id':{'type':'string','pattern':'^[0-9a-f]{16}$'},'setup_at':" TIME_OR_NULL ",'ringing_at':"
	  TIME_OR_NULL ",'answered_at':" TIME_OR_NULL ",'ended_at':" TIME_OR_NULL ",'mapping_gateway':" TEXT_OR_NULL ",'routing_gateway':"
	  TEXT_OR_NULL ",'registration':" TEXT_OR_NULL ",'request_uri_in':" TEXT_OR_NULL ",'to_in':" TEXT_OR_NULL ",'callee_in':" TEXT_OR_NULL
	  ",'original':" TEXT_OR_NULL ",'routed':" TEXT_OR_NULL ",'to_out':" TEXT_OR_NULL ",'invite_use_contact':{'type':['string','null'],"
	  "'enum':['on','off',null]},'billing_callee':" TEXT_OR_NULL ",'caller_in':" TEXT_OR_NULL ",'caller_out':" TEXT_OR_NULL ",'call_id_in':"
	  TEXT_OR_NULL ",'call_id_out':" TEXT_OR_NULL ",'code':" WHOLE_OR_NULL ",'phrase':" TEXT_OR_NULL ",'hung_up_by':{'type':"
	  "['string','null'],'enum':['caller','callee','switch',null]},'pdd_ms':" WHOLE_OR_NULL ",'duration_ms':" WHOLE ",'tried':"
	  LIST_OF("{'type':'object','required':['gateway','code'],'properties':{'gateway':" TEXT ",'code':" WHOLE_OR_NULL "}}") ",'skipped':"
	  LIST_OF("{'type':'object','required':['gateway','why'],'properties':{'gateway':" TEXT ",'why':" TEXT_OR_NULL "}}") "}}" },
	{ "CdrPage", PAGE_OF("Cdr") },
	{ "TracedMessage", "{'type':'object','properties':{'seq':" WHOLE ",'at':" TIME ",'direction':{'type':'string','enum':['in','out']},"
	  "'transport':{'type':'string','enum':['udp','tcp','tls']},'local':" TEXT ",'remote':" TEXT ",'registration':" TEXT_OR_NULL
	  ",'call_id':" TEXT_OR_NULL ",'summary':" TEXT ",'message':" TEXT "}}" },
	{ "TracePage", PAGE_OF("TracedMessage") },
	{ "ChangeSetOrNull", "{'oneOf':[" REF("ChangeSet") ",{'type':'null'}]}" },
	{ "Advice", "{'type':'object','required':['id','trouble','severity','subject','since','symptom','cause','steps','evidence','fix'],"
	  "'properties':{'id':{'type':'string','description':'trouble:kind:name.'},'trouble':" TEXT ",'severity':{'type':'string','enum':["
	  "'critical','warning','info']},'subject':{'type':'object','required':['kind','name'],'properties':{'kind':" TEXT ",'name':" TEXT
	  "}},'since':{'type':'string','format':'date-time','description':'When it was seen first, since mgmtd started.'},'symptom':" TEXT
	  ",'cause':" TEXT ",'steps':" LIST_OF(TEXT) ",'evidence':" LIST_OF(TEXT) ",'fix':" REF("ChangeSetOrNull") "}}" },
	{ "AdvicePage", "{'type':'object','required':['items','next','revision','at','age_ms','stale','totals'],'properties':{'items':"
	  LIST_OF(REF("Advice")) ",'next':" TEXT_OR_NULL ",'revision':" WHOLE ",'at':{'type':'string','format':'date-time','description':"
	  "'When the switch was looked at.'},'age_ms':" WHOLE ",'stale':{'type':'boolean','description':'The switch is down: its state is the "
	  "last known.'},'totals':{'type':'object','properties':{'critical':" WHOLE ",'warning':" WHOLE ",'info':" WHOLE "}}}}" },
	{ "Preset", "{'type':'object','required':['id','kind','title','scenario','why','recommended','values','changes'],'properties':{'id':" TEXT
	  ",'kind':" TEXT ",'title':" TEXT ",'scenario':" TEXT ",'why':" TEXT ",'recommended':{'type':'object','description':'What suits, "
	  "the preset being in it.'},'values':{'type':'object'},'changes':" REF("ChangeSetOrNull") "}}" },
	{ "PresetPage", "{'type':'object','required':['items','next','revision','retry_delays','note'],'properties':{'items':"
	  LIST_OF(REF("Preset")) ",'next':{'type':'null'},'revision':" WHOLE ",'retry_delays':" LIST_OF("{'type':'object','properties':{"
	  "'retry_delay':" WHOLE ",'first_retry_s':" WHOLE ",'five_retries_s':" WHOLE ",'load':" TEXT ",'best_for':" TEXT "}}") ",'note':" TEXT "}}" },
	{ "Checklist", "{'type':'object','required':['checklist','items','next','revision'],'properties':{'checklist':" TEXT ",'items':"
	  LIST_OF("{'type':'object','required':['n','text','state','detail','evidence','fix'],'properties':{'n':" WHOLE ",'text':" TEXT
	  ",'state':{'type':'string','enum':['done','todo','warning','manual']},'detail':" TEXT ",'evidence':" LIST_OF(TEXT) ",'fix':"
	  REF("ChangeSetOrNull") "}}") ",'next':{'type':'null'},'revision':" WHOLE "}}" },
	{ "LogIn", "{'type':'object','required':['username','password'],'additionalProperties':false,'properties':{'username':" TEXT
	  ",'password':{'type':'string','writeOnly':true}}}" },
	{ "Role", "{'type':'string','enum':['viewer','operator','admin']}" },
	{ "Session", "{'type':'object','required':['expires_at','role','username','csrf_token','must_change_password'],'properties':{'expires_at':"
	  TIME ",'role':" REF("Role") ",'username':{'type':'string','description':'Of an API token: token: and its name.'},'csrf_token':"
	  "{'type':'string','description':'For the header X-CSRF-Token of what is not GET and comes by cookie.'},'must_change_password':" FLAG "}}" },
	{ "NewSession", "{'allOf':[" REF("Session") ",{'type':'object','required':['token'],'properties':{'token':" TEXT "}}]}" },
	{ "PasswordChange", "{'type':'object','required':['current','new'],'additionalProperties':false,'properties':{'current':{'type':'string',"
	  "'writeOnly':true},'new':{'type':'string','minLength':12,'maxLength':1024,'writeOnly':true}}}" },
	{ "User", "{'type':'object','required':['username','role','password','must_change_password','changed_at','changed_by'],"
	  "'additionalProperties':false,'properties':{'username':" REF("Name") ",'role':" REF("Role") ",'password':" REF("SetSecret")
	  ",'must_change_password':" FLAG ",'changed_at':" TIME_OR_NULL ",'changed_by':" TEXT_OR_NULL "}}" },
	{ "UserPage", PAGE_OF("User") },
	{ "SetSecret", "{'type':'object','required':['set'],'additionalProperties':false,'properties':{'set':{'type':'boolean','enum':[true]}}}" },
	{ "NewPassword", "{'description':'12 characters at least; as it is shown, it is kept.','writeOnly':true,'anyOf':[{'type':'string','minLength':12,"
	  "'maxLength':1024}," REF("SetSecret") "]}" },
	{ "UserCreate", USER_WRITE("'username','role','password'") },
	{ "UserWrite", USER_WRITE("'role'") },
	{ "UserPatch", USER_WRITE("") },
	{ "ApiToken", "{'type':'object','required':['name','role','created_at','created_by','expires_at','last_used_at'],'properties':{'name':"
	  REF("Name") ",'role':" REF("Role") ",'created_at':" TIME ",'created_by':" TEXT ",'expires_at':" TIME ",'last_used_at':" TIME_OR_NULL "}}" },
	{ "ApiTokenPage", PAGE_OF("ApiToken") },
	{ "NewApiToken", "{'allOf':[" REF("ApiToken") ",{'type':'object','required':['token'],'properties':{'token':" TEXT "}}]}" },
	{ "ApiTokenCreate", "{'type':'object','required':['name','role'],'additionalProperties':false,'properties':{'name':" REF("Name") ",'role':"
	  REF("Role") ",'expires_at':{'type':['string','null'],'format':'date-time','description':'At most 365 days from now, in whole seconds; "
	  "90 days where it is left out.'}}}" },
	{ "Refusal", "{'type':'object','required':['seq','at','actor','token','address','method','path','status','code','request_id','left_out',"
	  "'pointers'],'properties':{'seq':" WHOLE ",'at':" TIME ",'actor':{'type':['string','null'],'description':'Who it was; of a log-in, the "
	  "user that was tried, if there is such a user.'},'token':" TEXT_OR_NULL ",'address':" TEXT_OR_NULL ",'method':" TEXT ",'path':" TEXT
	  ",'status':" WHOLE ",'code':" TEXT_OR_NULL ",'request_id':" TEXT ",'left_out':{'type':'integer','description':'Refusals before this "
	  "one that came too fast to be kept.'},'pointers':" LIST_OF(TEXT) "}}" },
	{ "RefusalPage", PAGE_OF("Refusal") },
	{ "AccountChange", "{'type':'object','required':['seq','at','actor','token','address','request_id','kind','name','op','fields'],"
	  "'properties':{'seq':" WHOLE ",'at':" TIME ",'actor':" TEXT ",'token':" TEXT_OR_NULL ",'address':" TEXT ",'request_id':" TEXT
	  ",'kind':{'type':'string','enum':['users','tokens']},'name':" REF("Name") ",'op':{'type':'string','enum':['create','update','delete']},"
	  "'fields':{'type':'string','description':'What was changed, with commas between.'}}}" },
	{ "AccountChangePage", PAGE_OF("AccountChange") },
	{ "Schema", "{'type':'object','required':['layout_hash','kinds'],'properties':{'layout_hash':" TEXT ",'kinds':"
	  LIST_OF("{'type':'object','required':['kind','noun','fields'],'properties':{'kind':" TEXT ",'noun':" TEXT ",'fields':"
	  LIST_OF(REF("SchemaField")) "}}") "}}" },
	{ "Openapi", "{'type':'object','required':['openapi','info','security','paths','components'],'properties':{'openapi':{'type':'string',"
	  "'pattern':'^3[.]1[.]'},'info':{'type':'object'},'security':{'type':'array'},'paths':{'type':'object'},'components':{'type':'object'}}}" },
	{ "Word", "{'type':'object','required':['status'],'properties':{'status':" TEXT "}}" },
};

static json_t *parse(const char *text)
{
	char *copy = strdup(text);
	for (char *p = copy; p && *p; p++)
		if (*p == '\'')
			*p = '"';
	json_t *json = copy ? json_loads(copy, JSON_REJECT_DUPLICATES, NULL) : NULL;
	free(copy);
	return json;
}

/* Fills the empty enum of components[name].properties[property] with the words of a table, and null where that is a value. */
static void fill(json_t *all, const char *name, const char *property, const char *const *words, size_t count, bool nullable)
{
	json_t *schema = json_object_get(json_object_get(json_object_get(all, name), "properties"), property);
	json_t *list = json_object_get(schema, "enum");
	for (size_t i = 0; i < count; i++)
		if (words[i][0])
			json_array_append_new(list, json_string(words[i]));
	if (nullable)
		json_array_append_new(list, json_null());
}

static void fill_kinds(json_t *all)
{
	json_t *restored = json_object_get(json_object_get(json_object_get(all, "Restore"), "properties"), "kind");
	json_t *changes = json_object_get(json_object_get(json_object_get(all, "ChangeSet"), "properties"), "changes");
	json_t *properties = json_object_get(json_object_get(changes, "items"), "properties");
	json_t *change = json_object_get(json_object_get(all, "Change"), "properties");
	json_t *lists[] = { json_object_get(json_object_get(properties, "kind"), "enum"), json_object_get(json_object_get(change, "kind"), "enum"),
	                    json_object_get(restored, "enum") };
	for (size_t i = 0; i < KIND_COUNT; i++)
		for (size_t l = 0; l < sizeof lists / sizeof lists[0]; l++)
			json_array_append_new(lists[l], json_string(schema_kinds[i].path));
}

json_t *description_components(void)
{
	json_t *all = json_object();
	for (size_t i = 0; i < sizeof components / sizeof components[0]; i++)
		json_object_set_new(all, components[i].name, parse(components[i].text));
	fill(all, "RegistrationStatus", "state", status_state_words, STATE_COUNT, true);
	fill(all, "RegistrationStatus", "reason", status_reason_words, REASON_COUNT, true);
	fill(all, "Attempt", "kind", status_attempt_words, ATTEMPT_COUNT, false);
	fill(all, "Call", "phase", status_call_phase_words, CALL_PHASE_COUNT, false);
	json_t *probe = json_object_get(json_object_get(json_object_get(all, "GatewayStatus"), "properties"), "probe");
	json_t *probes = json_pack("{s:O}", "probe", probe);
	fill(probes, "probe", "state", status_probe_words, PROBE_COUNT, true);
	json_decref(probes);
	fill(all, "WriteAnswer", "applied", applied_words, 4, true);
	fill_kinds(all);
	return all;
}
