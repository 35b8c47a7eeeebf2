// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/eventblock"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// archived are the events of an archive: in records, and in blocks.
type archived struct{ records, blocks, inBlocks int64 }

// readArchive decodes what the file exporter has written.
func readArchive(t *testing.T, path string) (found archived) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for line := range bytes.Lines(text) {
		logs, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(line)
		require.NoError(t, err)
		for _, resource := range logs.ResourceLogs().All() {
			for _, scope := range resource.ScopeLogs().All() {
				for _, record := range scope.LogRecords().All() {
					switch record.EventName() {
					case wsevent.ConnectionOpen, wsevent.ConnectionClose, wsevent.MessageSend, wsevent.MessageReceive:
						found.records++
					case wsevent.EventBlock:
						var r eventblock.Reader
						require.NoError(t, wslog.OpenBlock(record, &r))
						found.blocks++
						found.inBlocks += int64(r.Remaining())
					}
				}
			}
		}
	}
	return found
}

// Blocks have the windows that records have: what the platform sent, with and without records
// beside them.
func TestEventBlocks_PrometheusHasWhatThePlatformSent(t *testing.T) {
	t.Parallel()
	for _, encoding := range []string{"blocks", "both"} {
		t.Run(encoding, func(t *testing.T) {
			t.Parallel()
			platform := startPlatform(t, func(c *sim.Config) {
				c.Rate, c.Events, c.Announce, c.Sessions = 400, 4_000, true, 150
				c.Tenants = []string{"acme_corp", "globex"}
				c.Frame, c.FrameEvents = sim.FrameMixed, 8
				c.DropRate = 10
			})
			p := startPipeline(t, platform, "ENCODING="+encoding, "CORRECT=true")
			truth := sent(t, platform)
			for _, job := range []string{"", "scrape"} {
				eventually(t, func() error { return p.prometheus.disagreement(truth, job) })
			}
			eventually(t, func() error { return p.prometheus.disagreementOnOpen(truth) })
			p.collector.stop(t)
			found := readArchive(t, p.events)
			assert.Equal(t, truth.Events, found.inBlocks)
			assert.Less(t, found.blocks, truth.Events/2)
			if encoding == "both" {
				assert.Equal(t, truth.Events, found.records)
			} else {
				assert.Zero(t, found.records)
			}
		})
	}
}
