// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

func TestReceiver_FrameToRecords(t *testing.T) {
	t.Parallel()
	const open = `{"type":"connection.open","timestamp":1715623400123,"channelId":"c-1","userId":"u-1","region":"us-east-1",` +
		`"tenantId":"globex","channelType":"webmessaging","id":"e-1"}`
	const end = `{"type":"connection.close","timestamp":1715623400456,"channelId":"c-1","code":1006,"reason":"transport.failure"}`
	inMemory(t, nil, func(t *testing.T, b *bench, _ *memoryPlatform, socket *websocket.Conn) {
		at := time.Now()
		send(t, socket, []byte("["+open+","+end+"]"))
		time.Sleep(time.Second)
		opened := b.downstream.records(wsevent.ConnectionOpen)[0]
		assert.Equal(t, []string{"globex", "us-east-1", "webmessaging"}, []string{opened.tenant, opened.region, opened.channelType})
		assert.Equal(t, time.UnixMilli(1715623400123).UTC(), opened.Timestamp().AsTime())
		assert.Equal(t, at.UTC(), opened.ObservedTimestamp().AsTime())
		assert.Equal(t, open, opened.Body().Str()) //nolint:testifylint // to the byte
		assert.Equal(t, map[string]any{"ccaas.channel.id": "c-1", "ccaas.user.id": "u-1", "ccaas.event.id": "e-1"}, opened.Attributes().AsRaw())

		closed := b.downstream.records(wsevent.ConnectionClose)[0]
		assert.Equal(t, []string{"acme_corp", "eu-west-1", "unknown"}, []string{closed.tenant, closed.region, closed.channelType})
		assert.Equal(t, map[string]any{
			"ccaas.channel.id": "c-1", "ccaas.close.code": int64(1006),
			"ccaas.close.reason": "transport.failure", "ccaas.close.abnormal": true,
		}, closed.Attributes().AsRaw())
	})
}

func TestReceiver_DeliversEveryEvent(t *testing.T) {
	t.Parallel()
	server := platformFor(t, func(c *sim.Config) {
		c.Silent = false
		c.FullSpeed = true
		c.Events = 20_000
		c.Frame, c.FrameEvents = sim.FrameMixed, 8
	})
	b := run(t, configFor(server.URL()))
	require.Eventually(t, func() bool { return len(b.downstream.records(events()...)) == 20_000 }, patience, 100*time.Millisecond)
	assert.Equal(t, int64(20_000), server.Truth().Events)

	counted := map[string]int64{}
	for _, record := range b.downstream.records(events()...) {
		counted[record.EventName()]++
	}
	truth := server.Truth().Total
	assert.Equal(t, map[string]int64{
		wsevent.ConnectionOpen: truth.ConnectionsOpened, wsevent.ConnectionClose: truth.ConnectionsClosed,
		wsevent.MessageSend: truth.MessagesSent, wsevent.MessageReceive: truth.MessagesReceived,
	}, counted)
}

func TestStatus_Recovers(t *testing.T) {
	t.Parallel()
	server := platformFor(t, func(c *sim.Config) { c.Trouble.UpgradeFail = sim.Failure{Status: 403, Times: 6} })
	b := run(t, configFor(server.URL()))
	require.Eventually(t, func() bool { return b.host.LastStatus() == componentstatus.StatusRecoverableError }, patience, time.Millisecond)
	waitConnected(t, server)
	require.Eventually(t, func() bool { return b.host.LastStatus() == componentstatus.StatusOK }, patience, time.Millisecond)
	assert.NotZero(t, b.logs.FilterMessageSnippet("because of the configuration").Len())
}
