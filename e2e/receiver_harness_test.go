// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// hushed is a secret that stands in every configuration of these tests.
const hushed = "hushed-5b1c77"

// watcher is a collector whose receiver writes all it has to say into a file.
type watcher struct {
	*process
	file string
}

// watch starts a collector with a receiver, given as YAML below its name.
func watch(t testing.TB, receiver string) *watcher {
	t.Helper()
	w := &watcher{file: filepath.Join(t.TempDir(), "events.jsonl")}
	config := filepath.Join(t.TempDir(), "config.yaml")
	for key, value := range map[string]string{
		"tenant_id": "acme_corp",
		"region":    "us-east-1",
		"oauth2":    "{ client_id: collector, client_secret: " + hushed + " }",
		"limits":    "{ requests_per_minute: 6000, dials_per_minute: 6000 }",
		"reconnect": "{ initial_interval: 20ms, max_interval: 200ms }",
	} {
		if !strings.Contains("\n"+receiver, "\n"+key+":") {
			receiver += "\n" + key + ": " + value
		}
	}
	require.NoError(t, os.WriteFile(config, []byte(`
receivers:
  ccaas_ws:
`+indent(receiver)+`
exporters:
  file: { path: `+strconv.Quote(w.file)+`, flush_interval: 100ms }
service:
  telemetry:
    logs: { level: debug, sampling: { enabled: false } }
    metrics: { level: none }
  pipelines:
    logs/events: { receivers: [ccaas_ws], exporters: [file] }
`), 0o600))
	w.process = start(t, "otelcol-ccaas", nil, "--config", config)
	t.Cleanup(func() {
		w.stop(t)
		require.NotContains(t, w.output.String(), hushed, "no log line contains a secret")
	})
	return w
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")
}

// logLine is one record of the file.
type logLine struct {
	name, id, channel, cause string
	at                       time.Time // by the platform's clock
	gapStart, gapEnd         int64     // unix ms
	dropped                  bool
	bytes                    int64
}

// records reads what is in the file; a last line that is incomplete is left for
// later.
func (w *watcher) records(t testing.TB) []logLine {
	t.Helper()
	text, err := os.ReadFile(w.file)
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	var all []logLine
	lines := bufio.NewScanner(bytes.NewReader(text[:bytes.LastIndexByte(text, '\n')+1]))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var batch struct {
			ResourceLogs []struct {
				ScopeLogs []struct {
					LogRecords []json.RawMessage `json:"logRecords"`
				} `json:"scopeLogs"`
			} `json:"resourceLogs"`
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &batch))
		for _, resource := range batch.ResourceLogs {
			for _, scope := range resource.ScopeLogs {
				for _, record := range scope.LogRecords {
					all = append(all, parseRecord(t, record))
				}
			}
		}
	}
	require.NoError(t, lines.Err())
	return all
}

func parseRecord(t testing.TB, text []byte) logLine {
	t.Helper()
	var record struct {
		EventName    string `json:"eventName"`
		TimeUnixNano string `json:"timeUnixNano"`
		Attributes   []struct {
			Key   string `json:"key"`
			Value struct {
				StringValue string `json:"stringValue"`
				IntValue    string `json:"intValue"`
				BoolValue   bool   `json:"boolValue"`
			} `json:"value"`
		} `json:"attributes"`
	}
	require.NoError(t, json.Unmarshal(text, &record))
	nanoseconds, err := strconv.ParseInt(record.TimeUnixNano, 10, 64)
	require.NoError(t, err)
	one := logLine{name: record.EventName, at: time.Unix(0, nanoseconds)}
	for _, attribute := range record.Attributes {
		number, _ := strconv.ParseInt(attribute.Value.IntValue, 10, 64)
		switch attribute.Key {
		case "ccaas.event.id":
			one.id = attribute.Value.StringValue
		case "ccaas.channel.id":
			one.channel = attribute.Value.StringValue
		case "ccaas.stream.cause":
			one.cause = attribute.Value.StringValue
		case "ccaas.gap.start":
			one.gapStart = number
		case "ccaas.gap.end":
			one.gapEnd = number
		case "ccaas.close.abnormal":
			one.dropped = attribute.Value.BoolValue
		case "ccaas.payload.size":
			one.bytes = number
		}
	}
	return one
}

// connected waits until the receiver has a socket that is ready.
func (w *watcher) connected(t testing.TB) {
	t.Helper()
	eventually(t, func() error {
		if len(named(w.records(t), "stream.connected")) == 0 {
			return errors.New("the receiver is not connected")
		}
		return nil
	})
}

// enough is an error unless there are so many records of a name.
func (w *watcher) enough(name string, want int) error {
	text, err := os.ReadFile(w.file)
	complete := string(text[:bytes.LastIndexByte(text, '\n')+1])
	if got := strings.Count(complete, `"eventName":"`+name+`"`); err == nil && got < want {
		err = fmt.Errorf("%d of %d records of %s", got, want, name)
	}
	return err
}

// named are the records of a name.
func named(all []logLine, name string) []logLine {
	var some []logLine
	for _, one := range all {
		if one.name == name {
			some = append(some, one)
		}
	}
	return some
}

func countsOf(all []logLine) sim.Counts {
	var counts sim.Counts
	for _, one := range all {
		switch one.name {
		case "connection.open":
			counts.ConnectionsOpened++
		case "connection.close":
			counts.ConnectionsClosed++
			if one.dropped {
				counts.ConnectionsDropped++
			}
		case "message.send":
			counts.MessagesSent++
		case "message.receive":
			counts.MessagesReceived++
		}
		counts.PayloadBytes += one.bytes
	}
	return counts
}

// agree waits until the file has exactly what an API sent.
func (w *watcher) agree(t testing.TB, platform *sim.Server, api string) {
	t.Helper()
	sent(t, platform)
	eventually(t, func() error {
		want, got := platform.Truth().APIs[api].Total, countsOf(w.records(t))
		if want != got {
			return fmt.Errorf("the platform sent %+v, the receiver %+v", want, got)
		}
		return nil
	})
}

// lively is a platform with one set of dimensions and steady traffic.
func lively(t testing.TB, change func(*sim.Config)) *sim.Server {
	t.Helper()
	return startPlatform(t, func(c *sim.Config) {
		c.Tenants, c.Regions = []string{"acme_corp"}, []string{"us-east-1"}
		c.Announce, c.Sessions, c.Rate, c.DropRate = true, 60, 300, 20
		change(c)
	})
}

// says is an error unless the collector has printed all of the words.
func (w *watcher) says(words ...string) error {
	printed := w.output.String()
	for _, word := range words {
		if !strings.Contains(printed, word) {
			return fmt.Errorf("%q is not in the log", word)
		}
	}
	return nil
}

// endpoint is a line of YAML.
func endpoint(platform *sim.Server) string { return "endpoint: " + platform.URL() + "\n" }
