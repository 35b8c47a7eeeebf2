// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

const (
	attackers    = 4           // of a kind, at the same time
	mostResident = 512 << 20   // bytes, ever
	slowestQuery = time.Second // longer than what waits for no query
)

// attack is what an attacker does again and again. It gives the status of the response, 0
// when there is none.
type attack struct {
	once     func(ctx context.Context, address string) int
	statuses []int // that it may get; nothing when it waits for none
}

// asking is an attack by a request to the query API.
func asking(method, path string, form url.Values, header http.Header, statuses ...int) attack {
	return attack{statuses: statuses, once: func(ctx context.Context, address string) int {
		values := maps.Clone(form)
		values.Set("lookback_delta", strconv.Itoa(100+rand.IntN(1000))) // none is like another
		target, body := "http://"+address+path+"?"+values.Encode(), io.Reader(nil)
		if method == http.MethodPost {
			target, body = "http://"+address+path, strings.NewReader(values.Encode())
		}
		r, err := http.NewRequestWithContext(ctx, method, target, body)
		if err != nil {
			return -1
		}
		maps.Copy(r.Header, header)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Host = header.Get("Host")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0
		}
		defer response.Body.Close()
		_, _ = io.Copy(io.Discard, response.Body)
		return response.StatusCode
	}}
}

// sending is an attack by some connections that say something each, and then a byte now and
// then, and read nothing.
func sending(connections int, head string, filler int, every time.Duration) attack {
	return attack{once: func(ctx context.Context, address string) int {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		var all sync.WaitGroup
		for range connections / attackers {
			all.Go(func() {
				conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
				if err != nil {
					return
				}
				defer conn.Close()
				defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
				_, err = io.WriteString(conn, head)
				piece := []byte(strings.Repeat(" ", 64<<10))
				for left := filler; left > 0 && err == nil; left -= len(piece) {
					_, err = conn.Write(piece[:min(left, len(piece))])
				}
				for err == nil {
					select {
					case <-ctx.Done():
						return
					case <-time.After(every):
						_, err = conn.Write([]byte(" "))
					}
				}
			})
		}
		all.Wait()
		return 0
	}}
}

func head(method, path, contentType string, length int) string {
	return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", method, path, contentType, length)
}

// writing is an attack by a body in protobuf.
func writing(path string, body []byte, statuses ...int) attack {
	return posting(path, http.Header{"Content-Type": {"application/x-protobuf"}}, body, statuses...)
}

// posting is an attack by a body.
func posting(path string, header http.Header, body []byte, statuses ...int) attack {
	return attack{statuses: statuses, once: func(ctx context.Context, address string) int {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+path, bytes.NewReader(body))
		if err != nil {
			return -1
		}
		maps.Copy(r.Header, header)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0
		}
		defer response.Body.Close()
		_, _ = io.Copy(io.Discard, response.Body)
		return response.StatusCode
	}}
}

// attributes is a write of one point with many attributes.
func attributes(n int) []byte {
	m := pmetric.NewMetrics()
	metric := m.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	metric.SetName("attributes")
	point := metric.SetEmptyGauge().DataPoints().AppendEmpty()
	for i := range n {
		point.Attributes().PutStr("a"+strconv.Itoa(i), "1")
	}
	body, _ := pmetricotlp.NewExportRequestFromMetrics(m).MarshalProto() // it is well formed
	return body
}

// describing writes new metrics with long descriptions, and asks for all there are.
func describing(ctx context.Context, address string) int {
	m := pmetric.NewMetrics()
	metrics := m.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	for range 1000 {
		metric := metrics.AppendEmpty()
		metric.SetName(fmt.Sprintf("described_%x", rand.Uint64()))
		metric.SetDescription(strings.Repeat(strconv.FormatUint(rand.Uint64(), 16), 1<<10))
		point := metric.SetEmptyGauge().DataPoints().AppendEmpty()
		point.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	}
	body, _ := pmetricotlp.NewExportRequestFromMetrics(m).MarshalProto() // it is well formed
	if status := writing("/api/v1/otlp/v1/metrics", body).once(ctx, address); status != http.StatusOK {
		return status
	}
	return asking("GET", "/api/v1/metadata", url.Values{}, nil).once(ctx, address)
}

// hostileAttacks are what one web page, or one script on the machine, can do.
func hostileAttacks() map[string]attack {
	const form, otlp = "application/x-www-form-urlencoded", "application/x-protobuf"
	query := func(text string) url.Values { return url.Values{"query": {text}} }
	deep := strings.Repeat("(", 5000) + "1" + strings.Repeat(")", 5000)
	classes := `{a=~"` + strings.Repeat(`\\pL`, 15_000) + `"}`
	var large strings.Builder // an answer of many MiB
	for i := range 20 {
		_, _ = fmt.Fprintf(&large, `label_replace(sin(vector(time()*%d)), "n", "%d", "a", "") or `, i+7, i)
	}
	large.WriteString("vector(1)")
	doubled := strings.Repeat("label_join(", 19) + `label_replace(vector(1),"x","aaaaaaaaaaaaaaaa","","")` + strings.Repeat(`,"x","","x","x")`, 19)
	now := time.Now().Unix()
	reading := url.Values{"query": {large.String()}, "start": {strconv.FormatInt(now-100_000, 10)}, "end": {strconv.FormatInt(now, 10)}, "step": {"10"}}
	return map[string]attack{
		"deep parentheses":        asking("GET", "/api/v1/query", query(deep), nil, 400),
		"format_query":            asking("POST", "/api/v1/format_query", query(deep), nil, 404),
		"parse_query":             asking("POST", "/api/v1/parse_query", query(deep), nil, 404),
		"a matcher of 60 KB":      asking("POST", "/api/v1/query", query(classes), nil, 400),
		"negated classes":         asking("POST", "/api/v1/query", query("{a=~`"+strings.Repeat(`[^1]`, 15_000)+"`}"), nil, 400),
		"repetitions":             asking("POST", "/api/v1/query", query("{a=~`((x{30}){30}){30}`}"), nil, 400),
		"label_replace of 60 KB":  asking("POST", "/api/v1/query", query("label_replace(vector(1), `a`, `b`, `c`, `"+strings.Repeat(`\PN`, 20_000)+"`)"), nil, 400),
		"a label that doubles":    asking("GET", "/api/v1/query", query(doubled), nil, 400, 503),
		"a label of 1,000 copies": asking("GET", "/api/v1/query", query("label_replace({__name__=~`.+`}, `x`, `"+strings.Repeat("$1", 1000)+"`, `__name__`, `(.*)`)"), nil, 400, 503),
		"match[] of 122 KB": asking("POST", "/api/v1/series", url.Values{"match[]": {
			"{a=~`" + strings.Repeat(`\D`, 30_000) + "`}", "{a=~`" + strings.Repeat(`\S`, 30_000) + "`}",
		}}, nil, 400),
		"parameters of 1 MB":          asking("POST", "/api/v1/query", query("up#"+strings.Repeat("x", 1<<20)), nil, 400),
		"the longest regexp there is": asking("POST", "/api/v1/query", query("count({__name__=~`"+strings.Repeat("x+", 10_000)+"`})"), nil, 200, 503),
		"a page of another site":      asking("GET", "/api/v1/query", query("up"), http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403),
		"heavy queries":               asking("GET", "/api/v1/query_range", reading, nil, 200, 503),
		"another Host":                asking("GET", "/api/v1/query", query("up"), http.Header{"Host": {"rebound.example.org"}}, 421),
		"empty messages":              writing("/api/v1/otlp/v1/metrics", bytes.Repeat([]byte{0x0a, 0}, 10<<20-1), 413, 503),
		"40,000 attributes":           writing("/api/v1/otlp/v1/metrics", attributes(40_000), 413, 503),
		"descriptions of 16 KB":       {statuses: []int{200, 503}, once: describing},
		"empty series":                writing("/api/v1/write", bytes.Repeat([]byte{0x0a, 0}, 10<<20-1), 413, 503),
		"unfinished forms":            sending(40, head("POST", "/api/v1/query", form, 20<<20), 19<<20, time.Second),
		"unfinished writes":           sending(40, head("POST", "/api/v1/otlp/v1/metrics", otlp, 20<<20), 19<<20, time.Second),
		"unfinished compressed writes": sending(40, strings.Replace(head("POST", "/api/v1/write", otlp, 20<<20), "\r\n\r\n",
			"\r\nContent-Encoding: snappy\r\n\r\n", 1), 19<<20, time.Second),
		"writers of a byte a second": sending(400, head("POST", "/api/v1/otlp/v1/metrics", otlp, 1000), 0, time.Second),
		"headers of 1 MB":            sending(400, "GET /api/v1/query?query=up HTTP/1.1\r\nX-Long:", 1<<20-8<<10, time.Second),
		"headers of a byte a second": sending(400, "GET /api/v1/query?query=up HTTP/1.1\r\nX-Slow:", 0, time.Second),
		"slow readers":               sending(40, "GET /api/v1/query_range?"+reading.Encode()+" HTTP/1.1\r\nHost: localhost\r\n\r\n", 0, time.Minute),
	}
}

// hostile is a collector with 512 MiB, and a store that it writes its windows to.
type hostile struct {
	*process
	address string
}

func startHostile(t *testing.T) hostile {
	t.Helper()
	platform := startPlatform(t, func(c *sim.Config) { c.Rate, c.Announce, c.Sessions = 100, true, 50 })
	h := hostile{address: fmt.Sprintf("127.0.0.1:%d", freePort(t))}
	h.process = start(t, "otelcol-ccaas", []string{
		"ENDPOINT=" + strings.Replace(platform.URL(), "http", "ws", 1), "DASHBOARD=" + h.address, "STATE=" + t.TempDir(), "GOMEMLIMIT=400MiB",
	}, "--config", "testdata/fault/hostile.yaml")
	eventually(t, func() error {
		age, err := h.newest()
		if err == nil && age > 5 {
			err = fmt.Errorf("the newest sample is %v s old", age)
		}
		return err
	})
	return h
}

// newest is how many seconds ago the newest window ended.
func (h hostile) newest() (float64, error) {
	samples, err := prometheus{url: "http://" + h.address}.query("time() - max(timestamp(ws_active_connections))")
	if err != nil {
		return 0, err
	}
	if len(samples) != 1 {
		return 0, errors.New("nothing is stored yet")
	}
	return samples[0].value, nil
}

// attacked is what was measured while attackers attacked.
type attacked struct {
	attempts int
	plain    int           // queries
	slowest  time.Duration // plain query
	idle     time.Duration // the slowest response to /healthz, which waits for no query
	oldest   float64       // seconds from the end of the newest window
}

// under attacks with several attackers, and asks plain questions meanwhile.
func (h hostile) under(ctx context.Context, t *testing.T, attacks ...attack) (result attacked) {
	t.Helper()
	var mutex sync.Mutex
	var all sync.WaitGroup
	for _, a := range attacks {
		for range attackers {
			all.Go(func() {
				for ctx.Err() == nil {
					status := a.once(ctx, h.address)
					mutex.Lock()
					result.attempts++
					mutex.Unlock()
					if status != 0 && !assert.Contains(t, a.statuses, status) {
						return
					}
				}
			})
		}
	}
	for n := 0; ctx.Err() == nil; n++ {
		began := time.Now()
		age, err := h.newest()
		if ctx.Err() != nil {
			break
		}
		if assert.NoError(t, err) {
			result.oldest = max(result.oldest, age)
		}
		result.slowest = max(result.slowest, time.Since(began))
		result.plain++
		began = time.Now()
		_, _, err = get("http://" + h.address + "/healthz")
		if assert.NoError(t, err) {
			result.idle = max(result.idle, time.Since(began))
		}
		time.Sleep(100 * time.Millisecond)
	}
	all.Wait()
	return result
}

// ends sends SIGTERM and measures how long it takes.
func (h hostile) ends(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	require.NoError(t, h.Process.Signal(syscall.SIGTERM))
	h.stop(t)
	return time.Since(began)
}

// Whatever one client does, others get their answers, windows are stored, memory is bounded,
// and the process ends when it should.
func TestFaultHostileClients(t *testing.T) { //nolint:tparallel // each attack has the machine for itself
	t.Parallel()
	run := func(name string, attacks ...attack) {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // see above
			h := startHostile(t)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			limited, cancel := context.WithTimeout(ctx, amount(4*time.Second, 15*time.Second))
			defer cancel()
			result := h.under(limited, t, attacks...)
			memory := h.memory(t, "VmHWM")
			// Attackers, attacked and other tests share the processors: /healthz is as slow for that, and waits for no query.
			timed(t, "the slowest plain query, less three times /healthz,", result.slowest-3*result.idle, slowestQuery)
			timed(t, "the newest window", time.Duration(result.oldest*float64(time.Second)), 10*time.Second)
			assert.Positive(t, result.plain)
			assert.LessOrEqual(t, memory, int64(mostResident))

			var all sync.WaitGroup // the attack goes on while the process ends
			for _, a := range attacks {
				for range attackers {
					all.Go(func() {
						for ctx.Err() == nil {
							a.once(ctx, h.address)
						}
					})
				}
			}
			time.Sleep(time.Second)
			ending := h.ends(t)
			stop()
			all.Wait()
			timed(t, "SIGTERM during the attack", ending, termination)
			measured(t, "%d attempts of %d attackers: slowest of %d queries %v, slowest /healthz %v, %d MiB",
				result.attempts, attackers*len(attacks), result.plain, result.slowest.Round(time.Millisecond), result.idle.Round(time.Millisecond), memory>>20)
		})
	}
	var all []attack
	for name, a := range hostileAttacks() {
		run(name, a)
		all = append(all, a)
	}
	run("all at once", all...)
}
