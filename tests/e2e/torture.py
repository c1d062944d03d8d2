"""The 49 messages of RFC 4475, with their quirks to the byte, and what the RFC says of each.

Of the topmost Via transport and sent-by are those of the socket that sends, so that the answer comes back; all else is as in the RFC,
but for the bodies: a session description where the RFC has a longer one of the same kind.
"""

SDP = "\n".join(["v=0", "o=mhandley 29739 7272939 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0", "m=audio 49217 RTP/AVP 0 12",
                 "m=video 3227 RTP/AVP 31", "a=rtpmap:31 LPC", ""])
OLD_SDP = SDP.replace("t=0 0", "t=3149328700 0")
BINARY = bytes([0x30, 0x82, 0x01, 0x52, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02, 0xA0, 0x00, 0x00, 0x0D, 0x0A, 0xFF])

CALL = "call"  # it reaches the callee
SILENCE = None
BAD = {400}

messages = []


class Torture:
    """known: what a mapping gateway may get for it, a set of codes with CALL and SILENCE; the same of an unknown source."""

    def __init__(self, name, section, text, known, unknown=None, stream=True):
        self.name, self.section, self.text, self.known = name, section, text, set(known)
        self.unknown = set(unknown) if unknown is not None else self.known - {CALL} | {401, 403}
        self.stream = stream  # a stream is not asked for where the message says it has no end, or another end

    def __repr__(self):
        return self.name

    def bytes(self, transport, host, port):
        text = self.text.replace("{transport}", transport.upper()).replace("{host}", f"{host}:{port}")
        raw = text.replace("\n", "\r\n").encode()
        return raw.replace(b"{binary}", BINARY)


def message(name, section, known, head, body="", **options):
    """`head` without the empty line at its end; {length} in it is that of the body."""
    size = len(body.replace("\n", "\r\n").encode().replace(b"{binary}", BINARY))
    text = head.strip("\n").replace("{length}", str(size)) + "\n\n" + body
    messages.append(Torture(name, section, text, known, **options))


# ------------------------------------------------------------------ 3.1.1 valid

message("wsinv", "3.1.1.1", {481, CALL}, r'''
INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0
TO :
 sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n
from   : "J Rosenberg \\\""       <sip:jdrosen@example.com>
  ;
  tag = 98asjd8
MaX-fOrWaRdS: 0068
Call-ID: wsinv.ndaksdj@192.0.2.1
Content-Length   : {length}
cseq: 0009
  INVITE
Via  : SIP  /   2.0
 /{transport}
    {host};branch=390skdjuw
s :
NewFangledHeader:   newfangled value
 continued newfangled value
UnknownHeaderWithUnusualValue: ;;,,;;,;
Content-Type: application/sdp
Route:
 <sip:services.example.com;lr;unknownwith=value;unknown-no-value>
v:  SIP  / 2.0  / TCP     spindle.example.com   ;
  branch  =   z9hG4bK9ikj8  ,
 SIP  /    2.0   / UDP  192.168.255.111   ; branch=
 z9hG4bK30239
m:"Quoted string \"\"" <sip:jdrosen@example.com> ; newparam =
      newvalue ;
  secondparam ; q = 0.33
''', SDP)

# Its start line is right, but none that the parser reads, and the NUL in To is an end to it: such a datagram is dropped, the connection
# it comes by closed.  So is that of lwsruri and bigcode.
message("intmeth", "3.1.1.2", {501, 405, 400, SILENCE}, '''
!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0
Via: SIP/2.0/{transport} {host};branch=z9hG4bK-.!%66*_+`'~
To: "BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>
From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%="\u0440\u0430\u0431\u043e\u0442\u0430\u044e\u0449\u0438\u0439";tag=_token~1'+`*%!-.
Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/"][?}{
CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~
Max-Forwards: 255
extensionHeader-!.%*+_`'~:\ufeff\u5927\u505c\u96fb
Content-Length: 0
''', stream=False)

message("esc01", "3.1.1.3", {CALL}, '''
INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0
To: sip:%75se%72@example.com
From: <sip:I%20have%20spaces@example.net>;tag=938
Max-Forwards: 87
i: esc01.239409asdfakjkn23onasd0-3234
CSeq: 234234 INVITE
Via: SIP/2.0/{transport} {host};branch=z9hG4bKkdjuw
C: application/sdp
Contact:
  <sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>
Content-Length: {length}
''', SDP)

message("escnull", "3.1.1.4", {403, 400, 405}, '''
REGISTER sip:example.com SIP/2.0
To: sip:null-%00-null@example.com
From: sip:null-%00-null@example.com;tag=839923423
Max-Forwards: 70
Call-ID: escnull.39203ndfvkjdasfkq3w4otrq0adsfdfnavd
CSeq: 14398234 REGISTER
Via: SIP/2.0/{transport} {host};branch=z9hG4bKkdjuw
Contact: <sip:%00@host5.example.com>
Contact: <sip:%00%00@host5.example.com>
L:0
''')

message("esc02", "3.1.1.5", {501, 405}, '''
RE%47IST%45R sip:registrar.example.com SIP/2.0
To: "%Z%45" <sip:resource@example.com>
From: "%Z%45" <sip:resource@example.com>;tag=f232jadfj23
Call-ID: esc02.asdfnqwo34rq23i34jrjasdcnl23nrlknsdf
Via: SIP/2.0/{transport} {host};branch=z9hG4bK209%fzsnel234
CSeq: 29344 RE%47IST%45R
Max-Forwards: 70
Contact: <sip:alias1@host1.example.com>
C%6Fntact: <sip:alias2@host2.example.com>
Contact: <sip:alias3@host3.example.com>
l: 0
''')

message("lwsdisp", "3.1.1.6", {200}, '''
OPTIONS sip:user@example.com SIP/2.0
To: sip:user@example.com
From: caller<sip:caller@example.com>;tag=323
Max-Forwards: 70
Call-ID: lwsdisp.1234abcd@funky.example.com
CSeq: 60 OPTIONS
Via: SIP/2.0/{transport} {host};branch=z9hG4bKkdjuw
l: 0
''')

VIA_NAMES = ["v", "V", "Via", "ViA", "VIa", "VIA", "via", "viA", "vIa", "vIA", "V ", "v ", "V  ", "v  ", "Via ", "Via  "]
message("longreq", "3.1.1.7", {CALL, 400}, "\n".join([
    "INVITE sip:user@example.com SIP/2.0",
    'To: "I have a user name of ' + 10 * "extreme" + ' proportion"<sip:user@example.com:6000;unknownparam1=very' + 20 * "long"
    + "value;longparam" + 25 * "name" + "=shortvalue;very" + 25 * "long" + "ParameterNameWithNoValue>",
    "F: sip:" + 5 * "amazinglylongcallername" + "@example.net;tag=12" + 50 * "982" + "424;unknownheaderparam" + 20 * "name"
    + "=unknowheaderparam" + 15 * "value" + ";unknownValueless" + 10 * "paramname",
    "Call-ID: longreq.one" + 20 * "really" + "longcallid",
    "CSeq: 3882340 INVITE",
    "Unknown-" + 20 * "Long" + "-Name: unknown-" + 20 * "long" + "-value; unknown-" + 20 * "long" + "-parameter-name = unknown-"
    + 20 * "long" + "-parameter-value",
    "Via: SIP/2.0/{transport} {host}",
    *(f"{VIA_NAMES[i % len(VIA_NAMES)]}: SIP/2.0/TCP sip{33 - i}.example.com" for i in range(1, 33)),
    "Via: SIP/2.0/TCP host.example.com;received=192.0.2.5;branch=very" + 50 * "long" + "branchvalue",
    "Max-Forwards: 70",
    "Contact: <sip:" + 5 * "amazinglylongcallername" + "@host5.example.net>",
    "Content-Type: application/sdp",
    "l: {length}"]), SDP)

# The request that follows in the same datagram is to be ignored; on a stream it is the next one.
message("dblreq", "3.1.1.8", {403, 405, 200}, '''
REGISTER sip:example.com SIP/2.0
To: sip:j.user@example.com
From: sip:j.user@example.com;tag=43251j3j324
Max-Forwards: 8
I: dblreq.0ha0isndaksdj99sdfafnl3lk233412
Contact: sip:j.user@host.example.com
CSeq: 8 REGISTER
Via: SIP/2.0/{transport} {host};branch=z9hG4bKkdjuw23492
Content-Length: 0
''', '''

INVITE sip:joe@example.com SIP/2.0
t: sip:joe@example.com
From: sip:caller@example.net;tag=141334
Max-Forwards: 8
Call-ID: dblreq.0ha0isnda977644900765@192.0.2.15
CSeq: 8 INVITE
Via: SIP/2.0/UDP 192.0.2.15;branch=z9hG4bKkdjuw380234
Content-Type: application/sdp
Content-Length: 150

''' + SDP.replace("m=video", "m =video"), stream=False)

message("semiuri", "3.1.1.9", {200}, '''
OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0
To: sip:j_user@example.com
From: sip:caller@example.org;tag=33242
Max-Forwards: 3
Call-ID: semiuri.0ha0isndaksdj
CSeq: 8 OPTIONS
Accept: application/sdp, application/pkcs7-mime,
        multipart/mixed, multipart/signed,
        message/sip, message/sipfrag
Via: SIP/2.0/{transport} {host};branch=z9hG4bKkdjuw
l: 0
''')

message("transports", "3.1.1.10", {200}, '''
OPTIONS sip:user@example.com SIP/2.0
To: sip:user@example.com
From: <sip:caller@example.com>;tag=323
Max-Forwards: 70
Call-ID:  transports.kijh4akdnaqjkwendsasfdj
Accept: application/sdp
CSeq: 60 OPTIONS
Via: SIP/2.0/{transport} {host};branch=z9hG4bKkdjuw
Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKklasjdhf
Via: SIP/2.0/TLS t3.example.com;branch=z9hG4bK2980unddj
Via: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd0f3en
Via: SIP/2.0/TCP t5.example.com;branch=z9hG4bK0a9idfnee
l: 0
''')

message("mpart01", "3.1.1.11", {405, 501, 415}, '''
MESSAGE sip:kumiko@example.org SIP/2.0
Via: SIP/2.0/{transport} {host};branch=z9hG4bK-d87543-4dade06d0bdb11ee-1--d87543-;rport
Max-Forwards: 70
Route: <sip:127.0.0.1:5080>
Identity: r5mwreLuyDRYBi/0TiPwEsY3rEVsk/G2WxhgTV1PF7hHuLIK0YWVKZhKv9Mj8UeXqkMVbnVq37CD+813gvYjcBUaZngQmXc9WNZSDNGCzA+fWl9MEUHWIZo1CeJebdY/XlgKeTa0Olvq0rt70Q5jiSfbqMJmQFteeivUhkMWYUA=
Contact: <sip:fluffy@127.0.0.1:5070>
To: <sip:kumiko@example.org>
From: <sip:fluffy@example.com>;tag=2fb0dcc9
Call-ID: 3d9485ad0c49859b@Zmx1ZmZ5LW1hYy0xNi5sb2NhbA..
CSeq: 1 MESSAGE
Content-Transfer-Encoding: binary
Content-Type: multipart/mixed;boundary=7a9cbec02ceef655
Date: Sat, 15 Oct 2005 04:44:56 GMT
User-Agent: SIPimp.org/0.2.5 (curses)
Content-Length: {length}
''', '''--7a9cbec02ceef655
Content-Type: text/plain
Content-Transfer-Encoding: binary

Hello
--7a9cbec02ceef655
Content-Type: application/octet-stream
Content-Transfer-Encoding: binary

{binary}
--7a9cbec02ceef655--''')

message("unreason", "3.1.1.12", {SILENCE}, '''
SIP/2.0 200 = 2**3 * 5**2 \u043d\u043e \u0441\u0442\u043e \u0434\u0435\u0432\u044f\u043d\u043e\u0441\u0442\u043e \u0434\u0435\u0432\u044f\u0442\u044c - \u043f\u0440\u043e\u0441\u0442\u043e\u0435
Via: SIP/2.0/{transport} 192.0.2.198;branch=z9hG4bK1324923
Call-ID: unreason.1234ksdfak3j2erwedfsASdf
CSeq: 35 INVITE
From: sip:user@example.com;tag=11141343
To: sip:user@example.edu;tag=2229
Content-Length: {length}
Content-Type: application/sdp
Contact: <sip:user@host198.example.com>
''', SDP, unknown={SILENCE})

message("noreason", "3.1.1.13", {SILENCE}, '''
SIP/2.0 100 \n\
Via: SIP/2.0/{transport} 192.0.2.105;branch=z9hG4bK2398ndaoe
Call-ID: noreason.asndj203insdf99223ndf
CSeq: 35 INVITE
From: <sip:user@example.com>;tag=39ansfi3
To: <sip:user@example.edu>;tag=902jndnke3
Content-Length: 0
Contact: <sip:user@host105.example.com>
''', unknown={SILENCE})

# ------------------------------------------------------------------ 3.1.2 invalid

message("badinv01", "3.1.2.1", {400, SILENCE}, '''
INVITE sip:user@example.com SIP/2.0
To: sip:j.user@example.com
From: sip:caller@example.net;tag=134161461246
Max-Forwards: 7
Call-ID: badinv01.0ha0isndaksdjasdf3234nas
CSeq: 8 INVITE
Via: SIP/2.0/{transport} {host};;,;,,
Contact: "Joe" <sip:joe@example.org>;;;;
Content-Length: {length}
Content-Type: application/sdp
''', SDP)

message("clerr", "3.1.2.2", {400}, '''
INVITE sip:user@example.com SIP/2.0
Max-Forwards: 80
To: sip:j.user@example.com
From: sip:caller@example.net;tag=93942939o2
Contact: <sip:caller@hungry.example.net>
Call-ID: clerr.0ha0isndaksdjweiafasdk3
CSeq: 8 INVITE
Via: SIP/2.0/{transport} {host};branch=z9hG4bK-39234-23523
Content-Type: application/sdp
Content-Length: 9999
''', SDP, stream=False)

message("ncl", "3.1.2.3", {400}, '''
INVITE sip:user@example.com SIP/2.0
Max-Forwards: 254
To: sip:j.user@example.com
From: sip:caller@example.net;tag=32394234
Call-ID: ncl.0ha0isndaksdj2193423r542w35
CSeq: 0 INVITE
Via: SIP/2.0/{transport} {host};branch=z9hG4bKkdjuw
Contact: <sip:caller@example53.example.net>
Content-Type: application/sdp
Content-Length: -999
''', SDP)

message("scalar02", "3.1.2.4", {400}, '''
REGISTER sip:example.com SIP/2.0
Via: SIP/2.0/{transport} {host};branch=z9hG4bK342sdfoi3
To: <sip:user@example.com>
From: <sip:user@example.com>;tag=239232jh3
CSeq: 36893488147419103232 REGISTER
Call-ID: scalar02.23o0pd9vanlq3wnrlnewofjas9ui32
Max-Forwards: 300
Expires: 1''' + 100 * "0" + '''
Contact: <sip:user@host129.example.com>
  ;expires=280297596632815
Content-Length: 0
''')

message("scalarlg", "3.1.2.5", {SILENCE}, '''
SIP/2.0 503 Service Unavailable
Via: SIP/2.0/{transport} {host};branch=z9hG4bKzzxdiwo34sw;received=192.0.2.129
To: <sip:user@example.com>
From: <sip:other@example.net>;tag=2easdjfejw
CSeq: 9292394834772304023312 OPTIONS
Call-ID: scalarlg.noase0of0234hn2qofoaf0232aewf2394r
Retry-After: 949302838503028349304023988
Warning: 1812 overture "In Progress"
Content-Length: 0
''', unknown={SILENCE})

message("quotbal", "3.1.2.6", {400}, '''
INVITE sip:user@example.com SIP/2.0
To: "Mr. J. User <sip:j.user@example.com>
From: sip:caller@example.net;tag=93334
Max-Forwards: 10
Call-ID: quotbal.aksdj
Contact: <sip:caller@host59.example.net>
CSeq: 8 INVITE
Via: SIP/2.0/{transport} {host};branch=z9hG4bKkdjuw39234
Content-Type: application/sdp
Content-Length: {length}
''', SDP)

message("ltgtruri", "3.1.2.7", {400}, '''
INVITE <sip:user@example.com> SIP/2.0
To: sip:user@example.com
From: sip:caller@example.net;tag=39291
Max-Forwards: 23
Call-ID: ltgtruri.1@192.0.2.5
CSeq: 1 INVITE
Via: SIP/2.0/{transport} {host}
Contact: <sip:caller@host5.example.net>
Content-Type: application/sdp
Content-Length: {length}
''', OLD_SDP)

message("lwsruri", "3.1.2.8", {400, SILENCE}, '''
INVITE sip:user@example.com; lr SIP/2.0
To: sip:user@example.com;tag=3xfe-9921883-z9f
From: sip:caller@example.net;tag=231413434
Max-Forwards: 5
Call-ID: lwsruri.asdfasdoeoi2323-asdfwrn23-asd834rk423
CSeq: 2130706432 INVITE
Via: SIP/2.0/{transport} {host};branch=z9hG4bKkdjuw2395
Contact: <sip:caller@host1.example.net>
Content-Type: application/sdp
Content-Length: {length}
''', OLD_SDP, stream=False)

message("lwsstart", "3.1.2.9", {400, CALL}, '''
INVITE  sip:user@example.com  SIP/2.0
Max-Forwards: 8
To: sip:user@example.com
From: sip:caller@example.net;tag=8814
Call-ID: lwsstart.dfknq234oi243099adsdfnawe3@example.com
CSeq: 1893884 INVITE
Via: SIP/2.0/{transport} {host};branch=z9hG4bKkdjuw3923
Contact: <sip:caller@host1.example.net>
Content-Type: application/sdp
Content-Length: {length}
''', SDP)

message("trws", "3.1.2.10", {400, 200}, '''
OPTIONS sip:remote-target@example.com SIP/2.0  \n\
Via: SIP/2.0/{transport} {host};branch=z9hG4bK299342093
To: <sip:remote-target@example.com>
From: <sip:local-resource@example.com>;tag=329429089
Call-ID: trws.oicu34958239neffasdhr2345r
Accept: application/sdp
CSeq: 238923 OPTIONS
Max-Forwards: 70
Content-Length: 0
''')

message("escruri", "3.1.2.11", {400, CALL}, '''
INVITE sip:user@example.com?Route=%3Csip:example.com%3E SIP/2.0
To: sip:user@example.com
From: sip:caller@example.net;tag=341518
Max-Forwards: 7
Contact: <sip:caller@host39923.example.net>
Call-ID: escruri.23940-asdfhj-aje3br-234q098w-fawerh2q-h4n5
CSeq: 149209342 INVITE
Via: SIP/2.0/{transport} {host};branch=z9hG4bKkdjuw
Content-Type: application/sdp
Content-Length: {length}
''', SDP)

message("baddate", "3.1.2.12", {400, CALL}, '''
INVITE sip:user@example.com SIP/2.0
To: sip:user@example.com
From: sip:caller@example.net;tag=2234923
Max-Forwards: 70
Call-ID: baddate.239423mnsadf3j23lj42--sedfnm234
CSeq: 1392934 INVITE
Via: SIP/2.0/{transport} {host};branch=z9hG4bKkdjuw
Date: Fri, 01 Jan 2010 16:00:00 EST
Contact: <sip:caller@host5.example.net>
Content-Type: application/sdp
Content-Length: {length}
''', SDP)

message("regbadct", "3.1.2.13", {400, 403, 405}, '''
REGISTER sip:example.com SIP/2.0
To: sip:user@example.com
From: sip:user@example.com;tag=998332
Max-Forwards: 70
Call-ID: regbadct.k345asrl3fdbv@10.0.0.1
CSeq: 1 REGISTER
Via: SIP/2.0/{transport} {host};branch=z9hG4bKkdjuw
Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E
l: 0
''')

message("badaspec", "3.1.2.14", {400, 200}, '''
OPTIONS sip:user@example.org SIP/2.0
Via: SIP/2.0/{transport} {host};branch=z9hG4bKkdju43234
Max-Forwards: 70
From: "Bell, Alexander" <sip:a.g.bell@example.com>;tag=433423
To: "Watson, Thomas" < sip:t.watson@example.org >
Call-ID: badaspec.sdf0234n2nds0a099u23h3hnnw009cdkne3
Accept: application/sdp
CSeq: 3923239 OPTIONS
l: 0
''')

message("baddn", "3.1.2.15", {400, 200}, '''
OPTIONS sip:t.watson@example.org SIP/2.0
Via:     SIP/2.0/{transport} {host};branch=z9hG4bKkdjuw
Max-Forwards:      70
From:    Bell, Alexander <sip:a.g.bell@example.com>;tag=43
To:      Watson, Thomas <sip:t.watson@example.org>
Call-ID: baddn.31415@c.example.com
Accept: application/sdp
CSeq:    3923239 OPTIONS
l: 0
''')

message("badvers", "3.1.2.16", {505}, '''
OPTIONS sip:t.watson@example.org SIP/7.0
Via:     SIP/7.0/{transport} {host};branch=z9hG4bKkdjuw
Max-Forwards:     70
From:    A. Bell <sip:a.g.bell@example.com>;tag=qweoiqpe
To:      T. Watson <sip:t.watson@example.org>
Call-ID: badvers.31417@c.example.com
CSeq:    1 OPTIONS
l: 0
''')

message("mismatch01", "3.1.2.17", {400}, '''
OPTIONS sip:user@example.com SIP/2.0
To: sip:j.user@example.com
From: sip:caller@example.net;tag=34525
Max-Forwards: 6
Call-ID: mismatch01.dj0234sxdfl3
CSeq: 8 INVITE
Via: SIP/2.0/{transport} {host};branch=z9hG4bKkdjuw
l: 0
''')

message("mismatch02", "3.1.2.18", {501, 400}, '''
NEWMETHOD sip:user@example.com SIP/2.0
To: sip:j.user@example.com
From: sip:caller@example.net;tag=34525
Max-Forwards: 6
Call-ID: mismatch02.dj0234sxdfl3
CSeq: 8 INVITE
Contact: <sip:caller@host.example.net>
Via: SIP/2.0/{transport} {host};branch=z9hG4bKkdjuw
Content-Type: application/sdp
l: {length}
''', SDP)

message("bigcode", "3.1.2.19", {SILENCE}, '''
SIP/2.0 4294967301 better not break the receiver
Via: SIP/2.0/{transport} {host};branch=z9hG4bK2398ndaoe
Call-ID: bigcode.asdof3uj203asdnf3429uasdhfas3ehjasdfas9i
CSeq: 353494 INVITE
From: <sip:user@example.com>;tag=39ansfi3
To: <sip:user@example.edu>;tag=902jndnke3
Content-Length: 0
Contact: <sip:user@host105.example.com>
''', unknown={SILENCE}, stream=False)

# ------------------------------------------------------------------ 3.2 transaction layer, 3.3 application layer, 3.4 RFC 2543

message("badbranch", "3.2.1", {400, 200}, '''
OPTIONS sip:user@example.com SIP/2.0
To: sip:user@example.com
From: sip:caller@example.org;tag=33242
Max-Forwards: 3
Via: SIP/2.0/{transport} {host};branch=z9hG4bK
Accept: application/sdp
Call-ID: badbranch.sadonfo23i420jv0as0derf3j3n
CSeq: 8 OPTIONS
l: 0
''')

# A 400 cannot be built of it: From, To and Call-ID are missing.
message("insuf", "3.3.1", {400, SILENCE}, '''
INVITE sip:user@example.com SIP/2.0
CSeq: 193942 INVITE
Via: SIP/2.0/{transport} {host};branch=z9hG4bKkdj.insuf
Content-Type: application/sdp
l: {length}
''', SDP)

message("unkscm", "3.3.2", {416}, '''
OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0
To: sip:user@example.com
From: sip:caller@example.net;tag=384
Max-Forwards: 3
Call-ID: unkscm.nasdfasser0q239nwsdfasdkl34
CSeq: 3923423 OPTIONS
Via: SIP/2.0/{transport} {host};branch=z9hG4bKkdjuw39234
Content-Length: 0
''')

message("novelsc", "3.3.3", {416}, '''
OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0
To: sip:user@example.com
From: sip:caller@example.net;tag=384
Max-Forwards: 3
Call-ID: novelsc.asdfasser0q239nwsdfasdkl34
CSeq: 3923423 OPTIONS
Via: SIP/2.0/{transport} {host};branch=z9hG4bKkdjuw39234
Content-Length: 0
''')

message("unksm2", "3.3.4", {400, 403, 405}, '''
REGISTER sip:example.com SIP/2.0
To: isbn:2983792873
From: <http://www.example.com>;tag=3234233
Call-ID: unksm2.daksdj@hyphenated-host.example.com
CSeq: 234902 REGISTER
Max-Forwards: 70
Via: SIP/2.0/{transport} {host};branch=z9hG4bKkdjuw
Contact: <name:John_Smith>
l: 0
''')

message("bext01", "3.3.5", {420}, '''
OPTIONS sip:user@example.com SIP/2.0
To: sip:j_user@example.com
From: sip:caller@example.net;tag=242etr
Max-Forwards: 6
Call-ID: bext01.0ha0isndaksdj
Require: nothingSupportsThis, nothingSupportsThisEither
Proxy-Require: noProxiesSupportThis, norDoAnyProxiesSupportThis
CSeq: 8 OPTIONS
Via: SIP/2.0/{transport} {host};branch=z9hG4bKkdjuw
Content-Length: 0
''')

# Bodies pass between the ends of a call: whether 415 is due the callee decides.
message("invut", "3.3.6", {415, CALL}, '''
INVITE sip:user@example.com SIP/2.0
Contact: <sip:caller@host5.example.net>
To: sip:j.user@example.com
From: sip:caller@example.net;tag=8392034
Max-Forwards: 70
Call-ID: invut.0ha0isndaksdjadsfij34n23d
CSeq: 235448 INVITE
Via: SIP/2.0/{transport} {host};branch=z9hG4bKkdjuw
Content-Type: application/unknownformat
Content-Length: {length}
''', "<audio>\n <pcmu port=\"443\"/>\n</audio>\n")

message("regaut01", "3.3.7", {401, 403, 405}, '''
REGISTER sip:example.com SIP/2.0
To: sip:j.user@example.com
From: sip:j.user@example.com;tag=87321hj23128
Max-Forwards: 8
Call-ID: regaut01.0ha0isndaksdj
CSeq: 9338 REGISTER
Via: SIP/2.0/{transport} {host};branch=z9hG4bKkdjuw
Authorization: NoOneKnowsThisScheme opaque-data=here
Content-Length:0
''')

message("multi01", "3.3.8", {400}, '''
INVITE sip:user@company.com SIP/2.0
Contact: <sip:caller@host25.example.net>
Via: SIP/2.0/{transport} {host};branch=z9hG4bKkdjuw
Max-Forwards: 70
CSeq: 5 INVITE
Call-ID: multi01.98asdh@192.0.2.1
CSeq: 59 INVITE
Call-ID: multi01.98asdh@192.0.2.2
From: sip:caller@example.com;tag=3413415
To: sip:user@example.com
To: sip:other@example.net
From: sip:caller@example.net;tag=2923420123
Content-Type: application/sdp
l: {length}
Contact: <sip:caller@host36.example.net>
Max-Forwards: 5
''', SDP)

message("mcl01", "3.3.9", {400}, '''
OPTIONS sip:user@example.com SIP/2.0
Via: SIP/2.0/{transport} {host};branch=z9hG4bK293423
To: sip:user@example.com
From: sip:other@example.net;tag=3923942
Call-ID: mcl01.fhn2323orihawfdoa3o4r52o3irsdf
CSeq: 15932 OPTIONS
Content-Length: 13
Max-Forwards: 60
Content-Length: 5
Content-Type: text/plain
''', "There's no way to know how many octets are supposed to be here.\n")

message("bcast", "3.3.10", {SILENCE}, '''
SIP/2.0 200 OK
Via: SIP/2.0/{transport} 192.0.2.198;branch=z9hG4bK1324923
Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23
Call-ID: bcast.0384840201234ksdfak3j2erwedfsASdf
CSeq: 35 INVITE
From: sip:user@example.com;tag=11141343
To: sip:user@example.edu;tag=2229
Content-Length: {length}
Content-Type: application/sdp
Contact: <sip:user@host28.example.com>
''', SDP, unknown={SILENCE})

message("zeromf", "3.3.11", {200, 483}, '''
OPTIONS sip:user@example.com SIP/2.0
To: sip:user@example.com
From: sip:caller@example.net;tag=3ghsd41
Call-ID: zeromf.jfasdlfnm2o2l43r5u0asdfas
CSeq: 39234321 OPTIONS
Via: SIP/2.0/{transport} {host};branch=z9hG4bKkdjuw2349i
Max-Forwards: 0
Content-Length: 0
''')

message("cparam01", "3.3.12", {403, 405}, '''
REGISTER sip:example.com SIP/2.0
Via: SIP/2.0/{transport} {host};branch=z9hG4bKkdjuw
Max-Forwards: 70
From: sip:watson@example.com;tag=DkfVgjkrtMwaerKKpe
To: sip:watson@example.com
Call-ID: cparam01.70710@saturn.example.com
CSeq: 2 REGISTER
Contact: sip:+19725552222@gw1.example.net;unknownparam
l: 0
''')

message("cparam02", "3.3.13", {403, 405}, '''
REGISTER sip:example.com SIP/2.0
Via: SIP/2.0/{transport} {host};branch=z9hG4bKkdjuw
Max-Forwards: 70
From: sip:watson@example.com;tag=838293
To: sip:watson@example.com
Call-ID: cparam02.70710@saturn.example.com
CSeq: 3 REGISTER
Contact: <sip:+19725552222@gw1.example.net;unknownparam>
l: 0
''')

message("regescrt", "3.3.14", {403, 405}, '''
REGISTER sip:example.com SIP/2.0
To: sip:user@example.com
From: sip:user@example.com;tag=8
Max-Forwards: 70
Call-ID: regescrt.k345asrl3fdbv@192.0.2.1
CSeq: 14398234 REGISTER
Via: SIP/2.0/{transport} {host};branch=z9hG4bKkdjuw
M: <sip:user@example.com?Route=%3Csip:sip.example.com%3E>
L:0
''')

# What the caller accepts in an answer is between the ends of the call.
message("sdp01", "3.3.15", {406, CALL}, '''
INVITE sip:user@example.com SIP/2.0
To: sip:j_user@example.com
Contact: <sip:caller@host15.example.net>
From: sip:caller@example.net;tag=234
Max-Forwards: 5
Call-ID: sdp01.ndaksdj9342dasdd
Accept: text/nobodyKnowsThis
CSeq: 8 INVITE
Via: SIP/2.0/{transport} {host};branch=z9hG4bKkdjuw
Content-Length: {length}
Content-Type: application/sdp
''', SDP)

message("inv2543", "3.4.1", {CALL}, '''
INVITE sip:UserB@example.com SIP/2.0
Via: SIP/2.0/{transport} {host}
From: <sip:+13035551111@ift.client.example.net;user=phone>
Record-Route: <sip:UserB@example.com;maddr=ss1.example.com>
To: sip:+16505552222@ss1.example.net;user=phone
Call-ID: inv2543.1717@ift.client.example.com
CSeq: 56 INVITE
Content-Type: application/sdp
''', SDP, stream=False)

assert len(messages) == 49
