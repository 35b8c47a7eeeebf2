// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
)

const senderToken = "Bearer of-the-house"

// hostileSends are what a sidecar with the token can send to a gateway.
func hostileSends(t *testing.T) map[string]attack {
	t.Helper()
	const protobuf, logs = "application/x-protobuf", "/v1/logs"
	field := func(number protowire.Number, inner []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), inner)
	}
	record := func(fields []byte) []byte { return field(1, field(2, field(2, fields))) }
	var gzipped, zipped bytes.Buffer
	records := field(1, field(2, bytes.Repeat(field(2, nil), 5<<20-16)))
	g, err := gzip.NewWriterLevel(&gzipped, gzip.BestCompression)
	require.NoError(t, err)
	_, err = g.Write(records)
	require.NoError(t, err)
	require.NoError(t, g.Close())
	z, err := zstd.NewWriter(&zipped)
	require.NoError(t, err)
	for range 1000 { // 10 GiB
		_, err = z.Write(records)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	unfinished := func(contentType, encoding string, sent int) attack {
		return sending(400, strings.Replace(head("POST", logs, contentType, 10<<20), "\r\n\r\n",
			"\r\nAuthorization: "+senderToken+encoding+"\r\n\r\n", 1), sent, time.Second)
	}
	send := func(body []byte, contentType, encoding string, statuses ...int) attack {
		header := http.Header{"Content-Type": {contentType}, "Authorization": {senderToken}}
		if encoding != "" {
			header.Set("Content-Encoding", encoding)
		}
		return posting(logs, header, body, statuses...)
	}
	return map[string]attack{
		"empty records":               send(records, protobuf, "", 413, 503),
		"empty records in 10 KB":      send(gzipped.Bytes(), protobuf, "gzip", 413, 503),
		"10 GiB of zstd":              send(zipped.Bytes(), protobuf, "zstd", 413, 503),
		"empty records in JSON":       send([]byte(`{"resourceLogs":[`+strings.Repeat("{},", 3_000_000)+`{}]}`), "application/json", "", 413, 503),
		"a value 1,000,000 deep":      send(record(field(5, nestedValues(1_000_000))), protobuf, "", 413, 503),
		"JSON a million deep":         send([]byte(strings.Repeat(`[`, 1_000_000)), "application/json", "", 413, 503),
		"400,000 attributes":          send(record(bytes.Repeat(field(6, nil), 400_000)), protobuf, "", 413, 503),
		"unfinished bodies":           unfinished(protobuf, "", 9<<20),
		"unfinished compressed":       unfinished(protobuf, "\r\nContent-Encoding: snappy", 9<<20),
		"bodies of a byte a second":   unfinished(protobuf, "\r\nContent-Encoding: zstd", 0),
		"without the token":           sending(400, head("POST", logs, protobuf, 10<<20), 9<<20, time.Second),
		"another path":                posting("/v1/other", http.Header{"Content-Type": {protobuf}, "Authorization": {senderToken}}, records, 404, 503),
		"an attribute of a megabyte":  send(record(field(6, field(1, make([]byte, 9<<20)))), protobuf, "", 200, 503),
		"as many records as it takes": send(field(1, field(2, bytes.Repeat(field(2, nil), 400_000))), protobuf, "", 200, 503),
	}
}

// nestedValues encodes an AnyValue, levels deep, in time linear in its size.
func nestedValues(levels int) []byte {
	// Each level is array_value { values { … } }, two fields with their lengths. They are written backwards.
	reversed := make([]byte, 0, 12*levels)
	for range levels {
		for _, number := range []protowire.Number{1, 5} {
			field := protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.BytesType), uint64(len(reversed)))
			slices.Reverse(field)
			reversed = append(reversed, field...)
		}
	}
	slices.Reverse(reversed)
	return reversed
}

// Whatever a sender of a gateway sends, memory is bounded, health is answered, other senders are served, and the
// process ends when it should.
func TestFaultHostileSenders(t *testing.T) { //nolint:tparallel // each attack has the machine for itself
	t.Parallel()
	run := func(name string, attacks ...attack) {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // see above
			address, health := fmt.Sprintf("127.0.0.1:%d", freePort(t)), fmt.Sprintf("127.0.0.1:%d", freePort(t))
			gateway := shipped(t, "gateway.yaml", []string{
				"GATEWAY_LISTEN=" + address, "GATEWAY_TOKEN=of-the-house", "CCAAS_WEBHOOK=http://127.0.0.1:1", "GOMEMLIMIT=400MiB",
			}, noOwnMetrics, "extensions::health_check::http::endpoint="+health)
			plain := posting("/v1/logs", http.Header{"Content-Type": {"application/json"}, "Authorization": {senderToken}},
				[]byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]}`))
			eventually(t, func() error {
				if status := plain.once(t.Context(), address); status != http.StatusOK {
					return fmt.Errorf("status %d", status)
				}
				return nil
			})
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			attackUntil := func(ctx context.Context, all *sync.WaitGroup) {
				for _, a := range attacks {
					for range attackers {
						all.Go(func() {
							for ctx.Err() == nil {
								if status := a.once(ctx, address); status != 0 && ctx.Err() == nil && !assert.Contains(t, a.statuses, status) {
									return
								}
							}
						})
					}
				}
			}
			limited, cancel := context.WithTimeout(ctx, amount(3*time.Second, 10*time.Second))
			defer cancel()
			var all sync.WaitGroup
			attackUntil(limited, &all)
			served, refused := 0, 0
			for limited.Err() == nil {
				switch status := plain.once(ctx, address); status {
				case http.StatusOK:
					served++
				case http.StatusServiceUnavailable: // a sender retries
					refused++
				default:
					assert.Fail(t, "a plain request", "status %d", status)
				}
				status, body, err := get("http://" + health)
				if assert.NoError(t, err) {
					assert.Equal(t, http.StatusOK, status, body)
				}
				time.Sleep(50 * time.Millisecond)
			}
			all.Wait()
			memory := gateway.memory(t, "VmHWM")
			assert.Positive(t, served+refused, "plain requests that got a response")
			eventually(t, func() error {
				if status := plain.once(ctx, address); status != http.StatusOK {
					return fmt.Errorf("status %d after the attack", status)
				}
				return nil
			})
			assert.LessOrEqual(t, memory, int64(mostResident))

			attackUntil(ctx, &all) // the attack goes on while the process ends
			time.Sleep(500 * time.Millisecond)
			ending := (hostile{process: gateway}).ends(t)
			stop()
			all.Wait()
			timed(t, "SIGTERM during the attack", ending, termination)
			measured(t, "%d plain requests served, %d refused with 503, %d MiB", served, refused, memory>>20)
		})
	}
	var all []attack
	for name, a := range hostileSends(t) {
		run(name, a)
		all = append(all, a)
	}
	run("all at once", all...)
}
