#!/bin/sh
# The oldest kind of client: curl alone, protocol 2024-11-05 over SSE. URL of /sse and a token; prints the server's events.
set -eu
URL=$1 TOKEN=$2
ROOT=${URL%/sse}
EVENTS=$(mktemp)
curl -sN -m 60 -H "Authorization: Bearer $TOKEN" "$URL" >"$EVENTS" &
STREAM=$!
trap 'kill $STREAM 2>/dev/null || true; rm -f "$EVENTS"' EXIT

heard() { # until there is a line with $1
    i=0
    until grep -q "$1" "$EVENTS"; do
        i=$((i + 1))
        [ $i -lt 300 ] || exit 1
        sleep 0.1
    done
}
post() {
    curl -sf -m 30 -o /dev/null -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d "$1" "$ROOT$ENDPOINT"
}

heard '^data: /'
ENDPOINT=$(sed -n 's/^data: \(\/[^ \r]*\).*/\1/p' "$EVENTS" | head -1)
post '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{},"clientInfo":{"name":"curl","version":"1"}}}'
heard '"id":1'
post '{"jsonrpc":"2.0","method":"notifications/initialized"}'
post '{"jsonrpc":"2.0","id":2,"method":"tools/list"}'
heard '"id":2'
post '{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"shell","arguments":{"command":"rm -f go; echo one; until [ -e go ]; do sleep 0.05; done; exit 3","session":"work","timeout_s":30},"_meta":{"progressToken":"p"}}}'
heard 'notifications/progress'
post '{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"exec","arguments":{"argv":["touch","go"],"session":"work"}}}'
heard '"id":3'
post '{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"shell","arguments":{"command":"sudo id","session":"work"}}}'
heard '"id":4'
sed -n 's/^data: //p' "$EVENTS"
