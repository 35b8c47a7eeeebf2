// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// Whatever a platform answers, it is taken or refused.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"supportedProtocols":["v2.realtime-events"]}`), "supportedProtocols[0]")
	f.Add([]byte(`["v2.realtime-events"]`), "[0]")
	f.Add([]byte(`{"Websocket":{"Url":"wss://a.example.com/b?c=d","ConnectionExpiry":"2026-11-25T10:00:00Z"}}`), "Websocket.Url")
	f.Add([]byte(`{"expires":1715623400.5}`), "expires")
	f.Fuzz(func(t *testing.T, body []byte, path string) {
		if protocols, err := supportedProtocols(body); err == nil {
			assert.Less(t, len(protocolList(protocols)), 8*(4*64+8))
		}
		_, _ = timeAt(body, path)
		text, err := textAt(body, path)
		if err != nil {
			return
		}
		if at, err := SocketURL(text, nil); err == nil {
			assert.Contains(t, []string{"ws", "wss"}, at.Scheme)
			assert.NotEmpty(t, at.Host)
		}
	})
}
