// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package payload

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var now = time.Date(2024, 5, 13, 18, 3, 40, 0, time.UTC)

// anAlert is a message as the exporter makes it of an alert record.
func anAlert(status string, change func(body map[string]any)) *Message {
	body := map[string]any{
		"alert_type": "critical", "metric": "ws_connection_drop_rate", "value": 0.68, "threshold": 0.5,
		"region": "eu-west-1", "tenant_id": "acme_corp", "channel_type": "webmessaging",
		"window_start": int64(1715623400000), "window_end": int64(1715623410000),
		"context": "Look into it.", "status": status, "alert_id": "a", "baseline": nil,
		"snapshot": map[string]any{"ws.active_connections": int64(142)},
	}
	if change != nil {
		change(body)
	}
	return &Message{ID: "msg_1", AlertID: "a", Event: "alert." + status, Severity: "error", Time: time.UnixMilli(1715623410000), Body: body}
}

func TestAlertmanager(t *testing.T) {
	t.Parallel()
	format := Alertmanager{ExpireAfter: 24 * time.Hour}
	for name, one := range map[string]struct {
		message *Message
		want    string
	}{
		"firing": {anAlert("firing", nil), `[{
			"labels": {"alertname": "ws_connection_drop_rate", "severity": "critical",
				"tenant_id": "acme_corp", "region": "eu-west-1", "channel_type": "webmessaging"},
			"annotations": {"alert_id": "a", "description": "Look into it.", "value": "0.68", "threshold": "0.5",
				"summary": "ws_connection_drop_rate is 0.68 (threshold 0.5) for acme_corp, eu-west-1, webmessaging"},
			"startsAt": "2024-05-13T18:03:30Z", "endsAt": "2024-05-14T18:03:40Z"}]`},
		"resolved": {anAlert("resolved", nil), `[{
			"labels": {"alertname": "ws_connection_drop_rate", "severity": "critical",
				"tenant_id": "acme_corp", "region": "eu-west-1", "channel_type": "webmessaging"},
			"annotations": {"alert_id": "a", "description": "Look into it.", "value": "0.68", "threshold": "0.5",
				"summary": "ws_connection_drop_rate is 0.68 (threshold 0.5) for acme_corp, eu-west-1, webmessaging"},
			"startsAt": "2024-05-13T18:03:20Z", "endsAt": "2024-05-13T18:03:30Z"}]`},
		"everything": {anAlert("firing", func(body map[string]any) {
			delete(body, "region")
			body["value"], body["baseline"], body["window_end"] = nil, 118.5, 1715623410000.0 // as JSON makes it
			body["reason"] = "no data for 3 windows"
			body["runbook_url"] = "https://runbooks.example.com/drops"
			body["annotations"] = map[string]any{"on.call": "gateway team", "depth": int64(3), "empty": ""}
			body["labels"] = map[string]any{"queue.name": "sales", "9lives": true, "alertname": "mine", "none": nil}
		}), `[{
			"labels": {"alertname": "ws_connection_drop_rate", "severity": "critical", "tenant_id": "acme_corp",
				"channel_type": "webmessaging", "queue_name": "sales", "_9lives": "true"},
			"annotations": {"alert_id": "a", "description": "Look into it.", "threshold": "0.5", "baseline": "118.5", "reason": "no data for 3 windows",
				"runbook_url": "https://runbooks.example.com/drops", "on_call": "gateway team", "depth": "3",
				"summary": "ws_connection_drop_rate (threshold 0.5) for acme_corp, webmessaging"},
			"startsAt": "2024-05-13T18:03:30Z", "endsAt": "2024-05-14T18:03:40Z"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := format.Render(one.message, now)
			require.NoError(t, err)
			assert.JSONEq(t, one.want, string(got.Body))
			assert.Equal(t, "application/json", got.ContentType)
		})
	}
}

func TestWhatAlertmanagerCannotTake(t *testing.T) {
	t.Parallel()
	noAlert := anAlert("firing", nil)
	noAlert.AlertID = ""
	for says, message := range map[string]*Message{
		"no alert: a record with an alert_id": noAlert,
		"no alert: ":                          {AlertID: "a", Body: "text"},
		"body has no metric":                  anAlert("firing", func(body map[string]any) { delete(body, "metric") }),
		`status: "acknowledged"`:              anAlert("acknowledged", nil),
		"window_end: soon":                    anAlert("firing", func(body map[string]any) { body["window_end"] = "soon" }),
		"window_start: NaN":                   anAlert("firing", func(body map[string]any) { body["window_start"] = math.NaN() }),
		"window_end: 9223372036854775807":     anAlert("firing", func(body map[string]any) { body["window_end"] = int64(math.MaxInt64) }),
	} {
		_, err := Alertmanager{}.Render(message, now)
		require.ErrorContains(t, err, says)
	}
}

func TestTemplate(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"text": {{ toJSON .Summary }}}`:                                         `{"text":"ws_connection_drop_rate is 0.68 (threshold 0.5) for acme_corp, eu-west-1, webmessaging"}`,
		`{{ toJSON .Body.snapshot }}`:                                             `{"ws.active_connections":142}`,
		`{{ toJSON .Body.runbook_url }}`:                                          `null`,
		`{{ with .Body.runbook_url }}1{{ else }}2{{ end }}`:                       `2`,
		`{{ toJSON (choose .Body.alert_type "critical" "1" "warning" "4" "5") }}`: `"1"`,
		`{{ toJSON (choose .Severity "fatal" "x" "y") }}`:                         `"y"`,
		`{{ toJSON (rfc3339 .Body.window_end) }}`:                                 `"2024-05-13T18:03:30.000Z"`,
		`[{{ toJSON (rfc3339 .Time) }}, {{ toJSON (rfc3339 .Now) }}]`:             `["2024-05-13T18:03:30.000Z","2024-05-13T18:03:40.000Z"]`,
		`{{ toJSON (truncate 4 "öäüß!") }}`:                                       `"öäüß"`,
		`{{ toJSON (truncate 9 .Body.context) }}`:                                 `"Look into"`,
		`{{ toJSON .Variables.key }}`:                                             `"a \"quoted\" <key>"`,
		`{{ toJSON .ID }}`:                                                        `"msg_1"`,
		`{{ toJSON (toJSON .Body.snapshot) }}`:                                    `"{\"ws.active_connections\":142}"`,
		`{{ if eq .Event "alert.firing" }}"trigger"{{ else }}"resolve"{{ end }}`:  `"trigger"`,
		`{{ toJSON (upper .AlertID) }}`:                                           `"A"`,
	} {
		format, err := NewTemplate(TemplateConfig{Body: body, ContentType: JSON, Variables: map[string]string{"key": `a "quoted" <key>`}})
		require.NoError(t, err, body)
		got, err := format.Render(anAlert("firing", nil), now)
		require.NoError(t, err, body)
		assert.Equal(t, want, string(got.Body), body)
	}
}

func TestATemplateThatGoesWrong(t *testing.T) {
	t.Parallel()
	for body, says := range map[string]string{
		`{"text": {{ .Summary }}}`:        "does not give JSON",
		``:                                "does not give JSON",
		`{{ toJSON .Body.value.deeper }}`: "value",
		`{{ choose .AlertID "a" "b" }}`:   "must be pairs",
		`{{ rfc3339 .AlertID }}`:          "no time in ms",
		`{{ range $i, $_ := .Body }}{{ range $j, $_ := $.Body }}{{ $.Variables.large }}{{ end }}{{ end }}`: "more than 1 MiB",
		`{{ define "loop" }}{{ template "loop" }}{{ end }}{{ template "loop" }}`:                           "exceeded maximum template depth",
	} {
		format, err := NewTemplate(TemplateConfig{Body: body, ContentType: JSON, Variables: map[string]string{"large": strings.Repeat("x", 10_000)}})
		require.NoError(t, err, body)
		_, err = format.Render(anAlert("firing", nil), now)
		require.ErrorContains(t, err, says, body)
	}
	_, err := NewTemplate(TemplateConfig{Body: `{{ toYAML . }}`})
	require.ErrorContains(t, err, `"toYAML" not defined`)
}

// Whatever the body holds, a format gives JSON or an error.
func FuzzFormats(f *testing.F) {
	f.Add([]byte(`{"metric":"m","status":"firing","window_start":1,"window_end":2,"labels":{"a b":[1]}}`), "a", int64(0))
	f.Add([]byte(`{"metric":{"a":1},"status":"resolved","window_start":1e300,"window_end":-1,"annotations":3}`), "\xff", int64(math.MaxInt64))
	template, err := NewTemplate(TemplateConfig{Body: `{"summary": {{ toJSON (truncate 100 .Summary) }}, "body": {{ toJSON .Body }}, "id": {{ toJSON .AlertID }},
		"level": {{ toJSON (choose .Body.alert_type "critical" "1" "2") }}}`})
	if err != nil {
		f.Fatal(err)
	}
	formats := []Format{Alertmanager{ExpireAfter: time.Hour}, template}
	f.Fuzz(func(t *testing.T, body []byte, id string, at int64) {
		message := &Message{AlertID: id}
		if json.Unmarshal(body, &message.Body) != nil {
			message.Body = string(body)
		}
		for _, format := range formats {
			got, err := format.Render(message, time.Unix(at, 0))
			if err == nil && !json.Valid(got.Body) {
				t.Errorf("%T: no JSON: %q", format, got.Body)
			}
		}
	})
}

func withTraces(body map[string]any) {
	body["traces"] = []any{"5b8a1c0e9d3f4a62b7c81d2e3f405162", "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "no trace"}
}

func TestTemplate_LinksTraces(t *testing.T) {
	t.Parallel()
	format, err := New(Config{
		Format: FormatTemplate, TraceURL: "https://tempo.example.com/trace/{{trace_id}}",
		Template: TemplateConfig{Body: `{"ids": {{ toJSON .Traces }}, "urls": {{ toJSON .TraceURLs }}}`, ContentType: JSON},
	})
	require.NoError(t, err)
	got, err := format.Render(anAlert("firing", withTraces), now)
	require.NoError(t, err)
	assert.JSONEq(t, `{"ids": ["5b8a1c0e9d3f4a62b7c81d2e3f405162", "0f1e2d3c4b5a69788796a5b4c3d2e1f0"],
		"urls": ["https://tempo.example.com/trace/5b8a1c0e9d3f4a62b7c81d2e3f405162", "https://tempo.example.com/trace/0f1e2d3c4b5a69788796a5b4c3d2e1f0"]}`, string(got.Body))
	got, err = format.Render(anAlert("firing", nil), now)
	require.NoError(t, err)
	assert.JSONEq(t, `{"ids": null, "urls": null}`, string(got.Body))
}

func TestAlertmanager_LinksTheFirstTrace(t *testing.T) {
	t.Parallel()
	format, err := New(Config{Format: FormatAlertmanager, ExpireAfter: time.Hour, TraceURL: "https://tempo.example.com/trace/{{trace_id}}"})
	require.NoError(t, err)
	got, err := format.Render(anAlert("firing", withTraces), now)
	require.NoError(t, err)
	assert.Contains(t, string(got.Body), `"traces":"5b8a1c0e9d3f4a62b7c81d2e3f405162, 0f1e2d3c4b5a69788796a5b4c3d2e1f0"`)
	assert.Contains(t, string(got.Body), `"trace_url":"https://tempo.example.com/trace/5b8a1c0e9d3f4a62b7c81d2e3f405162"`)
}
