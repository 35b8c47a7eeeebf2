// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"

	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/metadata"
)

// Whatever a configuration holds, it is refused, or the component can be made of it.
func FuzzConfig(f *testing.F) {
	owntest.FuzzConfig(f, createDefaultConfig, func(t *testing.T, config *Config) {
		made, err := newReceiver(receivertest.NewNopSettings(metadata.Type), config, consumertest.NewNop())
		require.NoError(t, err)
		up, err := made.newUpstream(t.Context())
		require.NoError(t, err)
		_, err = made.connection(0, newStatus(nil), up.NewDecode)
		require.NoError(t, err)
	},
		"{ tenant_id: a, region: us-east-1, oauth2: { client_id: a, client_secret: b } }",
		"{ platform: nice_cxone, api: event_hub, region: na1, oauth2: { client_id: a, client_secret: b, grant_type: password, username: c, password: d } }",
		"{ platform: custom, endpoint: 'ws://127.0.0.1:1', fields: { timestamp: 'a.b[0]|json.c || d' }, types: { message.send: [ { a.b: [c, d] } ] } }",
		"{ platform: custom, endpoint: 'https://a.example.com', session: { url_from: { method: POST, url: /a, path: b[1].c, expires: d }, on_open: [ { send: a, expect: '{}' } ], keep_alive: { send: a, interval: 1s } } }",
		"{ api: notifications, region: eu-west-1, notifications: { topics: [a] }, oauth2: { client_id: a, client_secret: b } }",
		"{ platform: custom, endpoint: 'ws://127.0.0.1:1', raw: redacted, redact: [ 'a[0].b', 'c|json.d' ], user_id: hash, user_id_key: 0123456789abcdef, fields: { channel_id: '[0]' } }",
		"{ platform: custom, endpoint: 'ws://127.0.0.1:1', payload_size: text, fields: { text: 'a.b || a || [1]|json.c' } }",
	)
}
