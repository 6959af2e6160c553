#!/bin/sh
# The oldest kind of client: curl alone, protocol 2024-11-05 over SSE. URL of /sse, a token, a session;
# prints the server's events.
set -eu
URL=$1 TOKEN=$2 SESSION=$3
ROOT=${URL%/sse}
EVENTS=$(mktemp)
curl -sN -m 200 -H "Authorization: Bearer $TOKEN" "$URL" >"$EVENTS" &
STREAM=$!
trap 'kill $STREAM 2>/dev/null || true; rm -f "$EVENTS"' EXIT

heard() { # until there is a line with $1
    i=0
    until grep -q "$1" "$EVENTS"; do
        i=$((i + 1))
        [ $i -lt 600 ] || exit 1
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
call() { # id, tool, its arguments; the id is the progress token as well
    post '{"jsonrpc":"2.0","id":'"$1"',"method":"tools/call","params":{"name":"'"$2"'","arguments":{"session":"'"$SESSION"'",'"$3"'},"_meta":{"progressToken":'"$1"'}}}'
}
call 3 shell '"command":"rm -f go; echo one; until [ -e go ]; do sleep 0.05; done; exit 3","timeout_s":60'
heard '"progressToken":3'
call 4 exec '"argv":["touch","go"]'
heard '"id":3'
call 5 shell '"command":"sudo id"'
heard '"id":5'
call 6 shell '"command":"echo begun; exec -a cancelled-curl sleep 61"'
heard '"progressToken":6'
post '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":6}}'
call 7 shell '"command":"while ps -eo args | grep -q ^cancelled-curl; do sleep 0.05; done","timeout_s":60'
heard '"id":7'
sed -n 's/^data: //p' "$EVENTS"
