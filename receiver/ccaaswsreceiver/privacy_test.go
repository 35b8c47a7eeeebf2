// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// people is personal data. No part of it is
// anywhere else in the frames.
func people() []string {
	return []string{
		"Anneliese Vogelsang", "Vogelsang", "Hauptstrasse 12, 10115 Berlin", "4111 1111 1111 1111", "5500005555555559", "+49 170 5550199", "015550199345",
		"anneliese@example.org",
	}
}

// numbered returns a frame its own ids and time.
func numbered(template string, n int) string {
	return strings.NewReplacer("%N", strconv.Itoa(n), "%M", fmt.Sprintf("%03d", n%1000)).Replace(template)
}

// seeded puts people into the places of a frame that are marked with %.
func seeded(random *rand.Rand, template string) string {
	all := people()
	for strings.Contains(template, "%") {
		template = strings.Replace(template, "%", all[random.IntN(len(all))], 1)
	}
	return template
}

const (
	seededRealtime = `{"type":"message.send","timestamp":1775044800%M,"channelId":"c-%N","userId":"u-17","region":"us-east-1","tenantId":"acme_corp",` +
		`"channelType":"webmessaging","payloadSize":512,"id":"e-%N","text":"%","customer":{"name":"%","note":"%"},"extra":["%","%"],"reason":"%"}`
	seededSnapshot = `{"topicName":"v2.routing.queues.q.conversations","eventBody":{"id":"conv-%N","participants":[{"id":"p-%N","name":"%","address":"tel:%",` +
		`"purpose":"customer","type":"webmessaging","connectedTime":"2126-04-01T12:00:00Z","attributes":{"account":"%","%":"%"},"user":{"id":"u-17","name":"%"},` +
		`"messages":[{"message":{"id":"m-%N"},"messageTime":"2126-04-01T12:00:01Z","messageStatus":"sent","textBody":"%","media":[{"url":"https://x/%","contentLengthBytes":5}]}],` +
		`"endTime":"2126-04-01T12:00:02Z","disconnectType":"%"}]}}`
	seededHub = `{"eventId":"e-%N","eventObject":"Message","eventType":"MessageCreated","createdAt":"2126-04-01T12:00:00Z","data":{"brand":{"id":1,"name":"%"},` +
		`"channel":{"id":"chat_1","name":"%"},"case":{"id":"c-%N","endUser":{"fullName":"%","surname":"%"},"customFields":[{"ident":"x","value":"%"}]},` +
		`"message":{"id":"m-%N","direction":"inbound","authorUser":{"id":"u-17","emailAddress":"%"},"authorEndUserIdentity":{"idOnExternalPlatform":"%","nickname":"%"},` +
		`"messageContent":{"type":"TEXT","text":"%","payload":{"text":{"content":"%"}},"fallbackText":"%"},"attachments":[{"fileName":"%","url":"https://x/%"}]}}}`
	seededConnect = `{"topic":"aws/chat","content":"{\"AbsoluteTime\":\"2126-04-01T12:00:00Z\",\"ContactId\":\"c-%N\",\"Id\":\"m-%N\",\"ParticipantId\":\"u-17\",` +
		`\"Type\":\"MESSAGE\",\"ParticipantRole\":\"CUSTOMER\",\"Content\":\"%\",\"DisplayName\":\"%\"}"}`
	seededTask = `{"event_type":"reservation.canceled","payload":{"date_updated":1775044800,"task_sid":"t-%N","task_channel_unique_name":"chat","worker_sid":"u-17","sid":"r-%N",` +
		`"worker_name":"%","attributes":"{\"from\":\"%\"}","canceled_reason":"%"}}`
)

// spoiled are a frame and what can be wrong with it.
func spoiled(frame string) []string {
	return []string{
		frame, frame[:len(frame)-2], frame[:len(frame)/2], "[" + frame + "," + frame, strings.Replace(frame, "c-", strings.Repeat("c", 600), 1),
		strings.Replace(frame, `"2126`, `"Vogelsang 2126`, 1), strings.Replace(frame, `"c-`, `"\x`, 1), strings.Replace(frame, ":1775044800", `:"5500005555555559 Vogelsang"`, 1),
		strings.Replace(frame, `"u-17"`, `["Vogelsang"]`, 1), strings.Replace(frame, `"message.send"`, `"Vogelsang"`, 1), strings.ReplaceAll(frame, "12", "\xff"),
		strings.Replace(frame, `"acme_corp"`, `{"x":5500005555555559}`, 1), strings.Replace(frame, ":5}", `:"Vogelsang"}`, 1),
		strings.Replace(frame, `"participants":[`, `"participants":["Vogelsang",5500005555555559,`, 1), `"Vogelsang"`, `Vogelsang`,
		strings.Repeat(`{"a":`, 70) + `"Vogelsang"` + strings.Repeat("}", 70),
	}
}

// said is all that a receiver puts out for frames: records, and its log.
func said(t testing.TB, config *Config, frames ...string) (records []taken, everything string) {
	t.Helper()
	b := newBench(t, config)
	up, err := b.newUpstream(t.Context())
	require.NoError(t, err)
	conn, err := b.connection(0, newStatus(nil), up.NewDecode)
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		conn.batcher.run(t.Context(), conn.delivery.deliver)
	}()
	at := time.Date(2026, time.April, 1, 13, 0, 0, 0, time.UTC)
	for i, one := range frames {
		conn.Text([]byte(one), at.Add(time.Duration(i)), 0)
	}
	conn.Violation(wsevent.ViolationBinaryFrame, []byte("Vogelsang\x00"), at)
	conn.Violation(wsevent.ViolationFrameTooLarge, []byte(frames[0][:len(frames[0])-3]), at)
	conn.batcher.close()
	<-ended
	var text strings.Builder
	b.downstream.mutex.Lock()
	for _, batch := range b.downstream.batches {
		encoded, err := (&plog.JSONMarshaler{}).MarshalLogs(batch)
		require.NoError(t, err)
		text.Write(encoded)
	}
	b.downstream.mutex.Unlock()
	for _, entry := range b.logs.All() {
		fmt.Fprintln(&text, entry.Message, entry.ContextMap())
	}
	require.NoError(t, b.Shutdown(context.Background()))
	return b.downstream.records(), text.String()
}

// privateConfigs are the receivers of shipped configurations, and the contract.
func privateConfigs(t testing.TB) map[string]struct {
	config func() *Config
	frame  string
} {
	server := platformFor(t, func(c *sim.Config) { c.AccessKey, c.AccessKeySecret = "key", secret })
	shipped := func(name string) func() *Config {
		values := environmentOf(server)
		values["TASKROUTER_URL"] = server.URL()
		return func() *Config { return example(t, name, values) }
	}
	return map[string]struct {
		config func() *Config
		frame  string
	}{
		"realtime_events": {func() *Config {
			config := configFor(server.URL())
			config.Raw = rawRedacted
			return config
		}, seededRealtime},
		"notifications":     {shipped("genesys-notifications.yaml"), seededSnapshot},
		"event_hub":         {shipped("nice-event-hub.yaml"), seededHub},
		"amazon_connect":    {shipped("custom-amazon-connect.yaml"), seededConnect},
		"twilio_taskrouter": {shipped("custom-twilio-taskrouter.yaml"), seededTask},
	}
}

// TestPrivacy_PersonalDataIsRedacted sends valid and broken frames with personal data.
func TestPrivacy_PersonalDataIsRedacted(t *testing.T) {
	t.Parallel()
	for name, test := range privateConfigs(t) {
		for _, raw := range []string{"", rawNone, rawFull} {
			t.Run(name+" "+raw, func(t *testing.T) {
				t.Parallel()
				config := test.config()
				if raw != "" {
					config.Raw = raw
				}
				random := rand.New(rand.NewPCG(1, 2))
				var frames []string
				size := 10_000
				if raw != "" || testing.Short() {
					size = 300
				}
				for n := range size {
					one := seeded(random, numbered(test.frame, n))
					frames = append(frames, one)
					if n%(size/30) == 0 {
						frames = append(frames, spoiled(one)...)
					}
				}
				records, everything := said(t, config, frames...)
				events, violations := 0, 0
				for _, record := range records {
					if record.EventName() == wsevent.StreamBackpressure { // on a slow machine
						continue
					}
					if record.EventName() == wsevent.ProtocolViolation {
						violations++
						_, hashed := record.Attributes().Get(wsevent.ViolationHash)
						assert.Equal(t, record.Body().AsString() == "", hashed, "length and hash replace the piece")
						continue
					}
					events++
					assert.Equal(t, raw != rawNone, record.Body().AsString() != "")
				}
				assert.GreaterOrEqual(t, events, size)
				assert.GreaterOrEqual(t, violations, 30)
				for _, one := range people() {
					if raw == rawFull {
						assert.Contains(t, everything, one)
						continue
					}
					if at := strings.Index(everything, one); at >= 0 {
						t.Errorf("%s: %s", one, everything[max(0, at-300):min(len(everything), at+100)])
					}
				}
				if raw == "" {
					assert.Contains(t, everything, "[redacted]")
				}
			})
		}
	}
}

// TestRedact_NonPersonalValuesAreKept is that a redacted body still says what it is for.
func TestRedact_NonPersonalValuesAreKept(t *testing.T) {
	t.Parallel()
	all := privateConfigs(t)
	frames := strings.NewReplacer("%N", "107", "%M", "107", "%", "Anneliese Vogelsang")
	for name, want := range map[string]string{
		"realtime_events": `{"type":"message.send","timestamp":1775044800107,"channelId":"c-107","userId":"u-17","region":"us-east-1","tenantId":"acme_corp","channelType":"webmessaging",` +
			`"payloadSize":512,"id":"e-107","text":"[redacted]","customer":{"name":"[redacted]","note":"[redacted]"},"extra":["[redacted]","[redacted]"],"reason":"[redacted]"}`,
		"event_hub": `{"eventId":"e-107","eventObject":"[redacted]","eventType":"MessageCreated","createdAt":"2126-04-01T12:00:00Z","data":{"brand":{"id":1,"name":"[redacted]"},` +
			`"channel":{"id":"chat_1","name":"[redacted]"},"case":{"id":"c-107","endUser":{"fullName":"[redacted]","surname":"[redacted]"},"customFields":[{"ident":"[redacted]","value":"[redacted]"}]},` +
			`"message":{"id":"m-107","direction":"inbound","authorUser":{"id":"u-17","emailAddress":"[redacted]"},"authorEndUserIdentity":{"idOnExternalPlatform":"[redacted]","nickname":"[redacted]"},` +
			`"messageContent":{"type":"[redacted]","text":"[redacted]","payload":{"text":{"content":"[redacted]"}},"fallbackText":"[redacted]"},"attachments":[{"fileName":"[redacted]","url":"[redacted]"}]}}}`,
		"twilio_taskrouter": `{"event_type":"reservation.canceled","payload":{"date_updated":1775044800,"task_sid":"t-107","task_channel_unique_name":"chat","worker_sid":"u-17","sid":"r-107",` +
			`"worker_name":"[redacted]","attributes":"[redacted]","canceled_reason":"[redacted]"}}`,
	} {
		records, _ := said(t, all[name].config(), frames.Replace(all[name].frame))
		assert.Equal(t, want, records[0].Body().Str(), name)
	}
}

// TestRedact_IdentityOfRejectedValues is that a field which the receiver reads shows
// no more of anybody than another where its value is not the field's.
func TestRedact_IdentityOfRejectedValues(t *testing.T) {
	t.Parallel()
	const event = `"type":"message.send","timestamp":1775044800107,"channelId":"c-107","userId":"u-17","region":"us-east-1","tenantId":"acme_corp","channelType":"voice",` +
		`"payloadSize":512,"id":"e-%N","code":4001}`
	people := []string{
		`"VOGELSANG"`, `"a@b.secretmail"`, `"+49 170 5550199"`, `"4111111111111111"`, `4111111111111111`, `"Vogelsang"`, `["Vogelsang"]`, `{"deep":["VOGELSANG"]}`,
		`{"deep":{"x":"+4917055501"}}`, `"Anneliese Vogelsang"`,
	}
	secret := regexp.MustCompile(`(?i)vogelsang|secretmail|5550`)
	config := privateConfigs(t)["realtime_events"].config()
	var frames []string
	for key, instead := range map[string]string{
		"payloadSize": "payloadSize", "payload_size": "payloadSize", "code": "code", "timestamp": "timestamp", "k1": "", "channel_id": "", "channelId": "channelId",
		"region": "region", "channelType": "channelType", "id": "id", "userId": "userId",
	} {
		for _, one := range people {
			if identity := slices.Contains([]string{"channelId", "region", "channelType", "id", "userId"}, instead); identity && !strings.ContainsAny(one, "[{") {
				continue // text is what the event is known by
			}
			frames = append(frames, numbered(`{"`+key+`":`+one+`,`+strings.Replace(event, `"`+instead+`":`, `"was":`, 1), len(frames)))
		}
	}
	records, _ := said(t, config, frames...)
	events := 0
	for _, record := range records {
		if record.EventName() == wsevent.MessageSend {
			events++
		}
		assert.NotRegexp(t, secret, record.Body().Str())
		assert.NotRegexp(t, secret, fmt.Sprint(record.Attributes().AsRaw()))
	}
	// payloadSize, payload_size, code and k1 spoil no event, nor do four of five identities;
	// two of the texts are a time, of the year 2100.
	assert.Equal(t, 4*len(people)+4*3+2, events)
}

func TestUserIDs(t *testing.T) {
	t.Parallel()
	for name, test := range privateConfigs(t) {
		for user, want := range map[string]any{userHash: "6852c6609d5d521e80f64b41ec3ded8f", userNone: nil} {
			t.Run(name+" "+user, func(t *testing.T) {
				t.Parallel()
				config := test.config()
				config.UserID, config.UserIDKey = user, "sixteen bytes key"
				one := seeded(rand.New(rand.NewPCG(1, 2)), numbered(test.frame, 107))
				records, everything := said(t, config, append(spoiled(one), one)...)
				assert.NotContains(t, everything, "u-17")
				assert.NotContains(t, everything, "sixteen")
				ids := map[any]bool{}
				for _, record := range records {
					if record.EventName() != wsevent.ProtocolViolation {
						ids[record.Attributes().AsRaw()[wsevent.UserID]] = true
					}
				}
				assert.Contains(t, ids, want)
			})
		}
	}
}

// TestRawOfTheAPIs is how much is kept where nothing is said, and in other words.
func TestRawOfTheAPIs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		set  map[string]any
		want string
	}{
		{nil, "full"},
		{map[string]any{"user_id": "hash"}, "redacted"},
		{map[string]any{"include_raw": true}, "full"},
		{map[string]any{"include_raw": false}, "none"},
		{map[string]any{"raw": "none", "include_raw": false}, "none"},
		{map[string]any{"raw": "redacted"}, "redacted"},
		{map[string]any{"api": "notifications"}, "redacted"},
		{map[string]any{"api": "notifications", "include_raw": true}, "full"},
		{map[string]any{"platform": "nice_cxone"}, "full"},
		{map[string]any{"platform": "nice_cxone", "api": "event_hub"}, "redacted"},
		{map[string]any{"platform": "custom"}, "redacted"},
		{map[string]any{"platform": "custom", "raw": "full"}, "full"},
	} {
		config := createDefaultConfig().(*Config)
		require.NoError(t, config.Unmarshal(confmap.NewFromStringMap(test.set)), test.set)
		assert.Equal(t, test.want, config.Raw, test.set)
	}
	config := createDefaultConfig().(*Config)
	require.ErrorContains(t, config.Unmarshal(confmap.NewFromStringMap(map[string]any{"raw": "full", "include_raw": false})), `raw: "full": must be left out, or "none"`)
}

// TestViolationsWithoutRaw keep length and hash alone.
func TestViolationsWithoutRaw(t *testing.T) {
	t.Parallel()
	r := recordsFor(func(set *recordSettings) { set.raw = rawNone })
	r.violation(&jsonevent.Violation{Reason: "not_json", Raw: []byte("abc")})
	record := recordsOf(r.take())[0]
	assert.Empty(t, record.Body().AsString())
	assert.Equal(t, map[string]any{
		"ccaas.violation.reason": "not_json", "ccaas.violation.length": int64(3),
		"ccaas.violation.hash": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	}, record.Attributes().AsRaw())
}

// TestRedactedBodiesAreJSON is that redaction leaves JSON behind.
func TestRedactedBodiesAreJSON(t *testing.T) {
	t.Parallel()
	for name, test := range privateConfigs(t) {
		records, _ := said(t, test.config(), seeded(rand.New(rand.NewPCG(1, 2)), numbered(test.frame, 107)))
		assert.True(t, json.Valid([]byte(records[0].Body().Str())), name)
	}
}

// TestPrivacy_ShippedConfigurationsHaveNoContent is that where records of a shipped
// configuration leave the process, their bodies are redacted or empty.
func TestPrivacy_ShippedConfigurationsHaveNoContent(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("..", "..", "config", "*.yaml"))
	require.NoError(t, err)
	checked := 0
	for _, file := range files {
		name := filepath.Base(file)
		conf := shippedConf(t, name, nil)
		if !conf.IsSet("receivers::ccaas_ws") {
			continue
		}
		config := example(t, name, map[string]string{"CCAAS_PLATFORM": "genesys_cloud"})
		pipelines, err := conf.Sub("service::pipelines")
		require.NoError(t, err)
		for pipeline := range pipelines.ToStringMap() {
			receivers, exporters := fmt.Sprint(pipelines.Get(pipeline+"::receivers")), pipelines.Get(pipeline+"::exporters").([]any)
			if receivers != "[ccaas_ws]" || !slices.ContainsFunc(exporters, func(one any) bool { return one != "ws_metrics" && one != "ws_sessions" }) {
				continue
			}
			assert.NotEqual(t, rawFull, config.Raw, "%s: %s: the records go to %v", name, pipeline, exporters)
			checked++
		}
	}
	assert.GreaterOrEqual(t, checked, 10)
}
