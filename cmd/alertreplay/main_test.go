// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

const rules = `
connectors:
  alert/mine:
    repeat_interval: ${env:ALERTREPLAY_UNSET:-4h}
    rules:
      - name: ws_connection_drop_rate
        metric: ws.drop_rate
        severity: critical
        threshold: { above: 0.5 }
        for: 2
        context: "drops in {{.Labels.region}}"
      - name: quiet
        metric: ws.messages
        severity: warning
        threshold: { below: 1 }
        no_data: 3
`

// midnight is when the first window of the recordings ends.
var midnight = time.Date(2024, 5, 13, 0, 0, 0, 0, time.UTC).UnixMilli()

func window(i, dropped int64) wsevent.Window {
	return wsevent.Window{
		Tags:  wsevent.Tags{TenantID: "acme_corp", Region: "eu-west-1", ChannelType: "webmessaging"},
		Start: wsevent.UnixMilli(midnight + i*9_000 - 10_000), End: wsevent.UnixMilli(midnight + i*9_000), ActiveConnections: 100,
		Counts: wsevent.Counts{ConnectionsDropped: dropped, ConnectionsClosed: dropped, MessagesSent: 50}, Complete: true,
	}
}

func otlp(t *testing.T, w wsevent.Window) string {
	t.Helper()
	logs := plog.NewLogs()
	wslog.EncodeWindow(logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty(), &w)
	text, err := (&plog.JSONMarshaler{}).MarshalLogs(logs)
	require.NoError(t, err)
	return string(text)
}

func bareBody(t *testing.T, w wsevent.Window) string {
	t.Helper()
	record := plog.NewLogRecord()
	wslog.EncodeWindow(record, &w)
	text, err := json.Marshal(record.Body().AsRaw())
	require.NoError(t, err)
	return string(text)
}

func writeRules(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "collector.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// OTLP lines and bare bodies have the same result, and a line that is not valid is skipped.
func TestReplay(t *testing.T) {
	t.Parallel()
	config := writeRules(t, rules)
	for name, write := range map[string]func(*testing.T, wsevent.Window) string{"OTLP": otlp, "bare": bareBody} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var lines []string
			for i, dropped := range []int64{0, 1, 0, 1, 2, 0} {
				lines = append(lines, write(t, window(int64(i), dropped)))
			}
			lines = append(lines, `{"what":1}`, "no JSON", write(t, window(20, 0)))
			var out, trouble bytes.Buffer
			arguments := []string{"--config", config, "--connector", "alert/mine"}
			require.NoError(t, run(t.Context(), arguments, strings.NewReader(strings.Join(lines, "\n")), &out, &trouble))
			text := out.String()
			for _, want := range []string{
				"2024-05-13T00:00:36Z  firing    ws_connection_drop_rate critical" +
					"  {channel_type=webmessaging,region=eu-west-1,tenant_id=acme_corp}  beyond threshold  value=2  threshold=0.5  \"drops in eu-west-1\"",
				"2024-05-13T00:00:45Z  resolved  ws_connection_drop_rate critical",
				"firing    quiet warning  {channel_type=webmessaging,region=eu-west-1,tenant_id=acme_corp}  no data",
				"resolved  quiet warning  {channel_type=webmessaging,region=eu-west-1,tenant_id=acme_corp}  data again",
				"9 lines, 2 of them unreadable",
				"ws_connection_drop_rate: beyond threshold 1, clear 1, run 2, within threshold 3",
			} {
				assert.Contains(t, text, want)
			}
			assert.Equal(t, 1, strings.Count(text, "firing    ws_connection_drop_rate"), "0.51, 0.49, 0.51 does not fire")
			assert.Contains(t, trouble.String(), "line 7: neither OTLP nor a window record")
			assert.Contains(t, trouble.String(), "line 8: ")
		})
	}
}

func TestRun_Errors(t *testing.T) {
	t.Parallel()
	good := writeRules(t, rules)
	for name, c := range map[string]struct {
		arguments []string
		want      string
	}{
		"no config":     {want: "it accepts --config"},
		"no file":       {arguments: []string{"--config", good, "--connector", "alert/mine", "nowhere.jsonl"}, want: "nowhere.jsonl"},
		"no such alert": {arguments: []string{"--config", good}, want: "connectors::alert: there is no such key"},
		"bad rule": {
			arguments: []string{"--config", writeRules(t, "connectors: {alert: {rules: [{name: a, metric: b, severity: c}]}}")},
			want:      "rules[a]::threshold",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			require.ErrorContains(t, run(t.Context(), c.arguments, strings.NewReader(""), &out, &out), c.want)
		})
	}
}

// A window record without the required fields is reported and skipped.
func TestReplay_InvalidWindowRecord(t *testing.T) {
	t.Parallel()
	logs := plog.NewLogs()
	record := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.SetEventName(wsevent.ThroughputMetric)
	text, err := (&plog.JSONMarshaler{}).MarshalLogs(logs)
	require.NoError(t, err)
	var out, trouble bytes.Buffer
	arguments := []string{"--config", writeRules(t, rules), "--connector", "alert/mine"}
	require.NoError(t, run(t.Context(), arguments, bytes.NewReader(text), &out, &trouble))
	assert.Contains(t, trouble.String(), "window record")
}

// The alerts of two configurations are compared on the same windows: a threshold that is
// lower fires earlier, a rule that is gone no longer does, and one that stays is not printed.
// An archive of ccaas_ws with encoding: blocks has no windows; the reason is reported.
func TestReplay_EventBlocksAreReported(t *testing.T) {
	t.Parallel()
	const block = `{"resourceLogs":[{"resource":{},"scopeLogs":[{"scope":{},"logRecords":[{"timeUnixNano":"1","body":{"bytesValue":"AQID"},"eventName":"event.block"}]}]}]}`
	var stderr bytes.Buffer
	_, _, err := feed(t.Context(), strings.NewReader(block+"\n"+block+"\n"), &stderr)
	require.NoError(t, err)
	assert.Contains(t, stderr.String(), "2 event blocks are skipped: they have events, and rules need windows")
}

func TestDiff(t *testing.T) {
	t.Parallel()
	before := writeRules(t, rules+`
      - name: closed
        metric: ws.drop_rate
        severity: warning
        threshold: { above: 1.5 }
`)
	after := writeRules(t, `
rules:
  - { name: ws_connection_drop_rate, metric: ws.drop_rate, severity: critical, threshold: { above: 0.5 } }
  - { name: quiet, metric: ws.messages, severity: warning, threshold: { below: 1 }, no_data: 3 }
`)
	var lines []string
	for i, dropped := range []int64{0, 1, 0, 1, 2, 0} {
		lines = append(lines, bareBody(t, window(int64(i), dropped)))
	}
	lines = append(lines, "no JSON", bareBody(t, window(20, 0)))
	recording := filepath.Join(t.TempDir(), "windows.jsonl")
	require.NoError(t, os.WriteFile(recording, []byte(strings.Join(lines, "\n")), 0o600))
	var out, trouble bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"--diff", "--connector", "alert/mine", before, after, recording}, strings.NewReader(""), &out, &trouble))
	var got []string
	for line := range strings.Lines(out.String()) {
		if fields := strings.Fields(line); len(fields) > 4 && (fields[0] == "+" || fields[0] == "-") {
			got = append(got, strings.Join([]string{fields[0], fields[1][14:19], fields[2], fields[3]}, " "))
		}
	}
	assert.Equal(t, []string{
		"+ 00:09 firing ws_connection_drop_rate",
		"+ 00:18 resolved ws_connection_drop_rate",
		"+ 00:27 firing ws_connection_drop_rate",
		"- 00:36 firing closed",
		"- 00:36 firing ws_connection_drop_rate",
		"- 00:45 resolved closed",
	}, got)
	assert.Contains(t, out.String(), "8 lines, 1 of them unreadable\n3 alerts are removed (-), 3 are added (+), 3 are the same\n")
	assert.Equal(t, 1, strings.Count(trouble.String(), "line 7: "))

	out.Reset()
	require.NoError(t, run(t.Context(), []string{"--diff", after, after, recording}, strings.NewReader(""), &out, &trouble))
	assert.Contains(t, out.String(), "0 alerts are removed (-), 0 are added (+)")
	require.ErrorContains(t, run(t.Context(), []string{"--diff", after}, strings.NewReader(""), &out, &trouble), "--diff and two or three files")
}
