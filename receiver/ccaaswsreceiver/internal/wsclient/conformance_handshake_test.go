// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"crypto/sha1" //nolint:gosec // RFC 6455 asks for it
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What a server may answer to a handshake: RFC 6455, section 4.1.
func TestConformance_Handshake(t *testing.T) {
	t.Parallel()
	const accept = "{{accept}}" // what the key makes it
	good := "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept + "\r\nSec-WebSocket-Protocol: " + protocol + "\r\n"
	for name, test := range map[string]struct {
		status, headers string
		cause           Cause // empty: it is taken
		says            string
	}{
		"good":                        {"101 Switching Protocols", good, "", ""},
		"any case of names and words": {"101 Whatever", strings.NewReplacer("Upgrade: websocket", "uPGRADE: WebSocket", "Connection: Upgrade", "connection: keep-alive, UPGRADE", "Sec-WebSocket-Accept", "SEC-websocket-ACCEPT").Replace(good), "", ""},
		"no Upgrade":                  {"101 Switching Protocols", strings.Replace(good, "Upgrade: websocket\r\n", "", 1), BadAnswer, "no WebSocket upgrade of RFC 6455"},
		"another Upgrade":             {"101 Switching Protocols", strings.Replace(good, "websocket\r\n", "h2c\r\n", 1), BadAnswer, "no WebSocket upgrade of RFC 6455"},
		"no Connection":               {"101 Switching Protocols", strings.Replace(good, "Connection: Upgrade\r\n", "", 1), BadAnswer, "no WebSocket upgrade of RFC 6455"},
		"Connection: close":           {"101 Switching Protocols", strings.Replace(good, "Connection: Upgrade", "Connection: close", 1), BadAnswer, "no WebSocket upgrade of RFC 6455"},
		"no Accept":                   {"101 Switching Protocols", strings.Replace(good, "Sec-WebSocket-Accept: "+accept+"\r\n", "", 1), BadAnswer, "no WebSocket upgrade of RFC 6455"},
		"the Accept of another key":   {"101 Switching Protocols", strings.Replace(good, accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 1), BadAnswer, "no WebSocket upgrade of RFC 6455"},
		"permessage-deflate, unasked": {"101 Switching Protocols", good + "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n", BadAnswer, "permessage-deflate"},
		"permessage-deflate, context": {"101 Switching Protocols", good + "Sec-WebSocket-Extensions: permessage-deflate\r\n", BadAnswer, "compression"},
		"any other extension":         {"101 Switching Protocols", good + "Sec-WebSocket-Extensions: x-mux\r\n", BadAnswer, "x-mux"},
		"another subprotocol":         {"101 Switching Protocols", strings.Replace(good, protocol, "v9", 1), Subprotocol, `"v9"`},
		"no subprotocol":              {"101 Switching Protocols", strings.Replace(good, "Sec-WebSocket-Protocol: "+protocol+"\r\n", "", 1), Subprotocol, "no subprotocol"},
		"200":                         {"200 OK", good, BadAnswer, "200"},
		"no status":                   {"yes", good, Unreachable, ""},
		"no HTTP":                     {"\x00\x01\x02", "", Unreachable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fake{upgrade: func(w http.ResponseWriter, r *http.Request) {
				line, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					return
				}
				defer func() { _ = line.Close() }()
				headers := strings.Replace(test.headers, accept, acceptOf(r), 1)
				_, _ = io.WriteString(line, "HTTP/1.1 "+test.status+"\r\n"+headers+"\r\n")
				_, _ = line.Write(raw(final|opText, "hello"))
				(&record{}).listen(line)
			}}
			to := &witness{}
			play(t, f, to, time.Minute, nil)
			if test.cause == "" {
				assert.Empty(t, to.failures)
				assert.Equal(t, "hello", to.texts[0])
				return
			}
			assert.Empty(t, to.connected)
			require.NotEmpty(t, to.failures)
			assert.Equal(t, test.cause, to.failures[0].Cause)
			assert.Contains(t, to.failures[0].Error(), test.says)
		})
	}
}

// acceptOf is the answer to a key that RFC 6455 asks for.
func acceptOf(r *http.Request) string {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
