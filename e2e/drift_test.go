// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/binary"
	"fmt"
	"math"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// startNTP is an NTP server (RFC 5905) whose clock is ahead of this machine's.
func startNTP(t *testing.T, ahead time.Duration) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, conn.Close()) })
	timestamp := func(at time.Time) uint64 {
		seconds := uint64(at.Unix() + 2_208_988_800) // NTP counts from 1900
		return seconds<<32 | uint64(at.Nanosecond())<<32/1e9
	}
	go func() {
		packet := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(packet)
			if err != nil {
				return
			}
			if n < 48 {
				continue
			}
			now := timestamp(time.Now().Add(ahead))
			answer := make([]byte, 48)
			answer[0] = 4<<3 | 4 // version 4, server
			answer[1] = 1        // stratum
			answer[3] = 0xec     // precision, 2^-20 s
			copy(answer[12:], "GPS\x00")
			copy(answer[24:32], packet[40:48]) // origin: the client's transmit time
			binary.BigEndian.PutUint64(answer[16:], now)
			binary.BigEndian.PutUint64(answer[32:], now)
			binary.BigEndian.PutUint64(answer[40:], now)
			_, _ = conn.WriteTo(answer, from)
		}
	}()
	return conn.LocalAddr().String()
}

// A platform that is 90 seconds off is measured, reported and corrected: the windows
// are those of the time at which things happened. With a reference by which our
// own clock is right the platform is to blame, with one that agrees with the
// platform our own clock is.
func TestSkewIsMeasuredReportedAndCorrected(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		skew, reference time.Duration
		culprit         string
	}{
		"platform ahead":  {skew: 90 * time.Second, culprit: "platform"},
		"platform behind": {skew: -90 * time.Second, culprit: "platform"},
		"we are behind":   {skew: 90 * time.Second, reference: 90 * time.Second, culprit: "host"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			platform := startPlatform(t, func(config *sim.Config) {
				config.Rate, config.Announce = 100, true
				config.Tenants, config.Regions = []string{"acme_corp"}, []string{"us-east-1"}
				config.Trouble.Skew = c.skew
			})
			p := startPipeline(t, platform, "CORRECT=true", "NTP="+startNTP(t, c.reference))
			want := float64(c.skew.Milliseconds())
			eventually(t, func() error {
				samples, err := p.prometheus.query(`avg(ws_clock_skew_milliseconds{job=""})`)
				if err == nil && (len(samples) != 1 || math.Abs(samples[0].value-want) > 100) {
					err = fmt.Errorf("the skew is %v, want %g", samples, want)
				}
				return err
			})
			eventually(t, func() error {
				text, err := os.ReadFile(p.events)
				if err != nil {
					return err
				}
				for _, word := range []string{
					`"eventName":"clock.skew"`, `"eventName":"clock.drift"`, `"stringValue":"` + c.culprit + `"`,
					`ccaas.clock.misaligned`, `ccaas.clock.original`,
				} {
					if !strings.Contains(string(text), word) {
						return fmt.Errorf("no record has %s", word)
					}
				}
				return nil
			})
			// From now on windows are of our time, and hold what happens.
			corrected := time.Now()
			eventually(t, func() error {
				samples, err := p.prometheus.query(fmt.Sprintf(`sum(ws_messages_per_second{job=""}) and on () (max(timestamp(ws_messages_per_second{job=""})) > %d)`, corrected.Unix()+5))
				if err == nil && (len(samples) != 1 || samples[0].value < 20) {
					err = fmt.Errorf("the windows of the present hold %v messages per second", samples)
				}
				return err
			})
			samples, err := p.prometheus.query(`max(timestamp(ws_messages_per_second{job=""})) - time()`)
			require.NoError(t, err)
			require.Len(t, samples, 1)
			assert.Less(t, samples[0].value, 1.0, "no window is of the future")
		})
	}
}
