// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/webhookexporter/internal/payload"
)

// Credentials that a person corrects within auth_retry lose no alert, and keep order.
func TestAuth_RefusedCredentialsAreRetried(t *testing.T) {
	t.Parallel()
	for _, status := range []int{401, 403} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				b := startExporter(t, func(int, received) reply {
					if time.Since(start) < 9*time.Minute {
						return says(status)
					}
					return says(200)
				}, nil)
				b.send(texts("first"))
				b.send(texts("second"))
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				b.stop()
				bodies := b.receiver.bodies()
				assert.Equal(t, []string{"first", "second"}, bodies[len(bodies)-2:])
				assert.Zero(t, b.count("otelcol_webhook_dead_letters", "reason", "refused"))
				assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError, componentstatus.StatusOK}, b.host.Statuses())
			})
		})
	}
}

func TestAuth_DeadLetterAfterAuthRetry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startExporter(t, always(401), func(c *Config) { c.AuthRetry = 10 * time.Minute })
		for i := range 20 { // those that wait do not each begin anew
			b.send(texts(strconv.Itoa(i)))
		}
		time.Sleep(9 * time.Minute)
		synctest.Wait()
		assert.Zero(t, b.count("otelcol_webhook_dead_letters", "reason", "refused"))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		assert.Equal(t, int64(20), b.count("otelcol_webhook_dead_letters", "reason", "refused"))
		b.stop()
	})
}

func TestAuth_ZeroIsADeadLetterAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startExporter(t, always(403), func(c *Config) { c.AuthRetry = 0 })
		b.send(texts("hello"))
		synctest.Wait()
		assert.Equal(t, int64(1), b.count("otelcol_webhook_dead_letters", "reason", "refused"))
		b.stop()
	})
}

// A failure of another kind before does not shorten auth_retry.
func TestAuth_RetryBeginsWithTheFirstRefusal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		b := startExporter(t, func(int, received) reply {
			switch elapsed := time.Since(start); {
			case elapsed < time.Hour:
				return says(503)
			case elapsed < time.Hour+5*time.Minute:
				return says(401)
			default:
				return says(200)
			}
		}, nil)
		b.send(texts("hello"))
		time.Sleep(70 * time.Minute)
		synctest.Wait()
		assert.Zero(t, b.count("otelcol_webhook_dead_letters", "reason", "refused"))
		assert.Equal(t, int64(1), b.count("otelcol_webhook_requests", "outcome", "delivered"))
		b.stop()
	})
}

func TestBody_ErrorInASuccessfulResponseIsLoggedAndCounted(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int64{
		`{"status":"error","error":"no receiver"}`: 1,
		` {"ok": false, "error": "invalid_auth"} `: 1,
		`{"success":false}`:                        1,
		`{"status":"FAILED"}`:                      1,
		`{"status":"success"}`:                     0,
		`{"ok":true}`:                              0,
		`{"error":"none"}`:                         0,
		`[{"ok":false}]`:                           0,
		`ok`:                                       0,
		``:                                         0,
		`{"ok":false`:                              0,
		`{"status":{"error":true},"ok":"false"}`:   0,
	} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := startExporter(t, func(int, received) reply { return reply{status: 200, body: body} }, nil)
				b.send(texts("hello"))
				synctest.Wait()
				assert.Equal(t, int64(1), b.count("otelcol_webhook_requests", "outcome", "delivered"))
				assert.Equal(t, want, b.total("otelcol_webhook_error_bodies"))
				assert.Equal(t, int(want), b.logs.FilterMessageSnippet("an error in the body").Len())
				b.stop()
			})
		})
	}
}

func TestBody_SuccessBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startExporter(t, func(n int, _ received) reply {
			if n == 0 {
				return reply{status: 200, body: `{"ok":false}`}
			}
			return reply{status: 200, body: `{"ok":true}`}
		}, func(c *Config) { c.SuccessBody = `"ok":\s*true` })
		b.send(texts("hello"))
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, []string{"hello", "hello"}, b.receiver.bodies(), "retried until the body matches")
		assert.Equal(t, int64(1), b.count("otelcol_webhook_requests", "outcome", "delivered"))
		b.stop()
	})
	synctest.Test(t, func(t *testing.T) {
		b := startExporter(t, func(int, received) reply { return reply{status: 200, body: `{"ok":false}`} },
			func(c *Config) { c.SuccessBody = `"ok":\s*true` })
		b.send(texts("hello"))
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		assert.Equal(t, int64(1), b.count("otelcol_webhook_dead_letters", "reason", "refused"))
		assert.Contains(t, b.logs.FilterMessageSnippet("payload logged").All()[0].ContextMap()["error"], "does not match success_body")
		b.stop()
	})
}

// A body of one byte a second takes a request no longer than bodyTime.
func TestBody_SlowBodyFreesTheRequest(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 503} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := startExporter(t, always(200), nil)
				b.client.Transport = roundTripper(func(request *http.Request) (*http.Response, error) {
					return &http.Response{StatusCode: status, Request: request, Body: &slowBody{request: request}}, nil
				})
				start := time.Now()
				b.post(t.Context(), "id", start, payload.Payload{Body: []byte("x")})
				assert.Equal(t, bodyTime, time.Since(start))
				b.stop()
			})
		})
	}
}

// slowBody gives a byte a second until the request is cancelled.
type slowBody struct{ request *http.Request }

func (b *slowBody) Read(p []byte) (int, error) {
	select {
	case <-time.After(time.Second):
		p[0] = 'x'
		return 1, nil
	case <-b.request.Context().Done():
		return 0, b.request.Context().Err()
	}
}

func (*slowBody) Close() error { return nil }

func TestAdvice(t *testing.T) {
	t.Parallel()
	verification := func(err error) error { return &tls.CertificateVerificationError{Err: err} }
	for says, err := range map[string]error{
		"has expired":      verification(x509.CertificateInvalidError{Reason: x509.Expired, Detail: "current time 2026 is after 2025"}),
		"not valid yet":    verification(x509.CertificateInvalidError{Cert: &x509.Certificate{}, Reason: x509.Expired, Detail: "current time 2026 is before 2027"}),
		"for another host": verification(x509.HostnameError{Certificate: &x509.Certificate{}, Host: "a"}),
		"tls::ca_file":     verification(x509.UnknownAuthorityError{}),
		"the proxy cannot": &net.OpError{Op: "proxyconnect", Err: errors.New("connection refused")},
	} {
		assert.Contains(t, advice(fmt.Errorf("wrapped: %w", err)), says)
	}
	assert.Empty(t, advice(io.EOF))
	require.NotContains(t, advice(verification(x509.CertificateInvalidError{Reason: x509.Expired})), "set tls")
}
