// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/config/configopaque"
)

// The body is the contract with receivers.
func TestPost_AlertIsUnchanged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startExporter(t, always(202), func(c *Config) { c.Secret = secret })
		b.send(alerts([2]string{"a", "firing"}))
		synctest.Wait()
		b.stop()
		require.Len(t, b.receiver.all(), 1)
		got := b.receiver.all()[0]
		require.JSONEq(t, `{"alert_type":"critical","metric":"ws_connection_drop_rate","value":0.68,"threshold":0.5,`+
			`"region":"eu-west-1","tenant_id":"acme_corp","channel_type":"webmessaging",`+
			`"window_start":1715623400000,"window_end":1715623410000,"context":"Look into it.",`+
			`"status":"firing","alert_id":"a","baseline":null,"snapshot":{"ws.active_connections":142}}`, got.body)
		assert.Equal(t, "application/json", got.header.Get("Content-Type"))
		assert.Contains(t, got.header.Get("User-Agent"), "otelcol-ccaas/1.2.3")
		assert.Equal(t, "https://alerts.example.com/hook/T0P-SECRET", got.url)
		verify(t, secret, got)
		assert.Equal(t, int64(1), b.count("otelcol_webhook_requests", "outcome", "delivered"))
		assert.Equal(t, int64(1), b.count("otelcol_webhook_requests", "status_class", "2xx"))
		assert.Empty(t, b.host.Statuses())
	})
}

func verify(t *testing.T, secret string, got received) {
	t.Helper()
	webhook, err := webhooks.NewWebhook(secret)
	require.NoError(t, err)
	require.NoError(t, webhook.Verify([]byte(got.body), got.header))
}

// While a secret is changed for another, receivers with either take the message.
func TestPost_EverySecretSigns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startExporter(t, always(200), func(c *Config) {
			c.Secret, c.Secrets = secret, []configopaque.String{otherSecret}
		})
		b.send(texts("hello"))
		synctest.Wait()
		b.stop()
		got := b.receiver.all()[0]
		verify(t, secret, got)
		verify(t, otherSecret, got)
		assert.Len(t, strings.Fields(got.header.Get("webhook-signature")), 2)
		got.body += " "
		webhook, err := webhooks.NewWebhook(secret)
		require.NoError(t, err)
		require.Error(t, webhook.Verify([]byte(got.body), got.header), "a changed body does not verify")
	})
}

func TestPost_WithoutSecret(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startExporter(t, always(200), nil)
		b.send(texts("hello"))
		synctest.Wait()
		b.stop()
		got := b.receiver.all()[0]
		assert.NotEmpty(t, got.id())
		assert.Equal(t, strconv.FormatInt(got.at.Unix(), 10), got.header.Get("webhook-timestamp"))
		assert.NotContains(t, got.header, "Webhook-Signature")
		assert.Equal(t, 1, b.logs.FilterMessageSnippet("not signed").Len())
		assert.Equal(t, "hello", got.body)
		assert.Equal(t, "text/plain; charset=utf-8", got.header.Get("Content-Type"))
	})
}

// A transient failure is retried, however long it lasts: the id stays, the time and with it
// the signature are new.
func TestDeliver_TransientFailureIsRetried(t *testing.T) {
	t.Parallel()
	reset := func(int, received) reply { return reply{err: errReset} }
	hang := func(int, received) reply { return reply{} }
	for name, respond := range map[string]func(int, received) reply{
		"408": always(408), "429": always(429), "500": always(500), "501": always(501), "502": always(502),
		"503": always(503), "504": always(504), "599": always(599), "reset after reading": reset, "hangs": hang,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := startExporter(t, func(n int, r received) reply {
					if n < 100 {
						return respond(n, r)
					}
					return says(204)
				}, func(c *Config) { c.Secret = secret })
				begin := time.Now()
				b.send(alerts([2]string{"a", "firing"}))
				for len(b.receiver.all()) < 101 {
					time.Sleep(time.Minute)
				}
				synctest.Wait()
				b.stop()
				all := b.receiver.all()
				require.Len(t, all, 101)
				for i, got := range all {
					assert.Equal(t, all[0].id(), got.id())
					assert.Equal(t, strconv.FormatInt(got.at.Unix(), 10), got.header.Get("webhook-timestamp"))
					if i == len(all)-1 { // the library knows one clock only
						assert.Equal(t, all[0].body, got.body)
					}
				}
				assert.Greater(t, all[100].at.Sub(begin), 40*time.Minute)
				assert.NotEqual(t, all[0].header.Get("webhook-signature"), all[100].header.Get("webhook-signature"))
				assert.Equal(t, int64(100), b.count("otelcol_webhook_requests", "outcome", "retry"))
				assert.Equal(t, int64(1), b.count("otelcol_webhook_requests", "outcome", "delivered"))
				assert.Zero(t, b.logs.FilterMessageSnippet("Delivery failed").Len())
				assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError, componentstatus.StatusOK}, b.host.Statuses())
			})
		})
	}
}

// A short failure is not reported.
func TestStatus_ShortFailureIsNotReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startExporter(t, then(503, 503, 200), nil)
		b.send(texts("hello"))
		time.Sleep(time.Minute)
		b.stop()
		require.Len(t, b.receiver.all(), 3)
		assert.Empty(t, b.host.Statuses())
	})
}

func TestDeliver_RetryAfter(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{
		"120":    2 * time.Minute,
		"864000": 15 * time.Minute, // an alert is not held back for days
		"soon":   time.Second,
	} {
		t.Run(header, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := startExporter(t, func(n int, _ received) reply {
					return says([]int{429, 200}[n], "Retry-After", header)
				}, nil)
				b.send(texts("hello"))
				time.Sleep(time.Hour)
				b.stop()
				all := b.receiver.all()
				require.Len(t, all, 2)
				assert.Equal(t, want, all[1].at.Sub(all[0].at))
			})
		})
	}
}

// A permanent failure is a dead letter at once, and the records behind it are delivered.
func TestDeliver_PermanentFailureIsADeadLetter(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		response reply
		reason   string
		says     []string
		status   []componentstatus.Status
	}{
		"400": {says(400), "refused", []string{"400 Bad Request"}, nil},
		"404": {says(404), "refused", []string{"404", "check endpoint"}, flagged},
		"413": {says(413), "refused", []string{"413"}, nil},
		"301": {says(301, "Location", "https://elsewhere.example.com/T0P-SECRET"), "redirect", []string{"301", "elsewhere.example.com are not followed"}, flagged},
		"302": {says(302, "Location", "/login"), "redirect", []string{"302", "alerts.example.com"}, flagged},
		"308": {says(308), "redirect", []string{"308", "not followed"}, flagged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := startExporter(t, func(_ int, r received) reply {
					if r.body == "poison" {
						return want.response
					}
					return says(200)
				}, nil)
				b.send(texts("before"))
				b.send(texts("poison"))
				b.send(texts("after"))
				synctest.Wait()
				b.stop()
				assert.Equal(t, []string{"before", "poison", "after"}, b.receiver.bodies())
				assert.Equal(t, int64(1), b.count("otelcol_webhook_dead_letters", "reason", want.reason))
				assert.Equal(t, want.status, b.host.Statuses())
				entries := b.logs.FilterMessage("Delivery failed; payload logged, since no dead-letter file is configured").All()
				require.Len(t, entries, 1)
				fields := entries[0].ContextMap()
				assert.Equal(t, "poison", fields["body"])
				assert.Equal(t, want.reason, fields["reason"])
				for _, word := range want.says {
					assert.Contains(t, fields["error"], word)
				}
				for _, entry := range b.logs.All() {
					for _, value := range entry.ContextMap() {
						assert.NotContains(t, fmt.Sprint(value), "T0P-SECRET", entry.Message)
					}
				}
			})
		})
	}
}

var flagged = []componentstatus.Status{componentstatus.StatusRecoverableError, componentstatus.StatusOK}

func TestDeliver_Gone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startExporter(t, then(200, 410, 200), nil)
		for _, text := range []string{"first", "second", "third", "fourth"} {
			b.send(texts(text))
			synctest.Wait()
		}
		b.stop()
		assert.Equal(t, []string{"first", "second"}, b.receiver.bodies())
		assert.Equal(t, int64(3), b.count("otelcol_webhook_dead_letters", "reason", "gone"))
		assert.Equal(t, []componentstatus.Status{componentstatus.StatusPermanentError}, b.host.Statuses())
		assert.Equal(t, 1, b.logs.FilterMessageSnippet("responded 410 Gone; no more requests").Len())
		assert.Equal(t, 3, b.logs.FilterMessageSnippet("payload logged").Len())
	})
}

func TestPost_ErrorQuotesBodyInPart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startExporter(t, func(int, received) reply {
			return reply{status: 400, body: "a\x00\n\"" + strings.Repeat("ü", 1_000_000)}
		}, nil)
		b.send(texts("hello"))
		synctest.Wait()
		b.stop()
		text := b.logs.FilterMessageSnippet("payload logged").All()[0].ContextMap()["error"].(string)
		assert.Contains(t, text, `"a\x00\n\"`)
		assert.Equal(t, 196, strings.Count(text, "ü"))
	})
}
