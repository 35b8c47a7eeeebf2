// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package driftprocessor

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// fakeNTP is a server whose clock is ahead of ours. A test can change its responses
// before they are sent, or suppress them.
type fakeNTP struct {
	conn  net.PacketConn
	ahead time.Duration
	alter func(answer []byte) []byte
}

func startNTP(t *testing.T, ahead time.Duration, alter func([]byte) []byte) ntpServer {
	t.Helper()
	var listen net.ListenConfig
	conn, err := listen.ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &fakeNTP{conn: conn, ahead: ahead, alter: alter}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.serve()
	}()
	t.Cleanup(func() {
		assert.NoError(t, conn.Close())
		<-done
	})
	return ntpServer(conn.LocalAddr().String())
}

func (f *fakeNTP) serve() {
	question := make([]byte, 512)
	for {
		n, from, err := f.conn.ReadFrom(question)
		if err != nil {
			return
		}
		if answer := f.answer(question[:n]); answer != nil {
			_, _ = f.conn.WriteTo(answer, from)
		}
	}
}

// answer makes a packet as in RFC 5905, section 7.3: of a primary server, version 4.
func (f *fakeNTP) answer(question []byte) []byte {
	const fromEpoch = 2_208_988_800 // seconds from 1900 to 1970
	now := time.Now().Add(f.ahead)
	stamp := uint64(now.Unix()+fromEpoch)<<32 | uint64(now.Nanosecond())<<32/1e9
	answer := make([]byte, 48)
	answer[0], answer[1], answer[3] = 4<<3|4, 1, 0xec // version and mode, stratum, precision
	copy(answer[12:], "GPS\x00")
	binary.BigEndian.PutUint64(answer[16:], stamp-1<<32) // reference timestamp
	copy(answer[24:32], question[40:48])                 // origin timestamp
	binary.BigEndian.PutUint64(answer[32:], stamp)
	binary.BigEndian.PutUint64(answer[40:], stamp)
	if f.alter != nil {
		return f.alter(answer)
	}
	return answer
}

func TestReference_NTPOffset(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{0, time.Hour, -90 * time.Second} {
		r, err := startNTP(t, ahead, nil).ask(t.Context())
		require.NoError(t, err)
		assert.InDelta(t, -ahead, r.offset, float64(r.uncertainty+time.Millisecond), "our offset is the inverse of the server's")
	}
}

func TestReference_UnusableNTPResponse(t *testing.T) {
	t.Parallel()
	for name, alter := range map[string]func([]byte) []byte{
		"kiss of death": func(answer []byte) []byte {
			answer[1] = 0
			copy(answer[12:], "RATE")
			return answer
		},
		"not synchronized": func(answer []byte) []byte {
			answer[0] |= 3 << 6
			answer[1] = 16
			return answer
		},
		"cut short":       func(answer []byte) []byte { return answer[:20] },
		"someone else's":  func(answer []byte) []byte { answer[24]++; return answer },
		"no time at all":  func(answer []byte) []byte { clear(answer[40:]); return answer },
		"not even a byte": func([]byte) []byte { return []byte{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			_, err := startNTP(t, 0, alter).ask(ctx)
			assert.ErrorContains(t, err, "reference::ntp: 127.0.0.1:")
		})
	}
}

func TestReference_QueryEndsWithItsContext(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	server := startNTP(t, 0, func([]byte) []byte {
		close(asked)
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	_, err := server.ask(ctx) // it would wait for five seconds
	require.Error(t, err)
	assert.Error(t, ctx.Err())
}

// reporting is a host that records the status events of components.
type reporting struct {
	component.Host

	events chan *componentstatus.Event
}

func (r reporting) Report(event *componentstatus.Event) { r.events <- event }

// withReference returns a bench whose reference is queried by ask.
func withReference(t *testing.T, restartAfter time.Duration, ask func(context.Context) (reading, error)) (*bench, reporting) {
	t.Helper()
	b := newBench(t, func(c *Config) {
		c.Reference.NTP = "time.example.com"
		c.RestartAfter = restartAfter
	})
	b.ask = ask
	host := reporting{Host: componenttest.NewNopHost(), events: make(chan *componentstatus.Event, 10)}
	require.NoError(t, b.Start(t.Context(), host))
	return b, host
}

func TestReference_AttributesTheFault(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		skew, host time.Duration
		want       string
	}{
		"the platform's": {time.Minute, 5 * time.Millisecond, "platform"},
		"ours":           {-time.Minute, time.Minute, "host"},
		"both":           {time.Minute, time.Minute, "both"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b, _ := withReference(t, 0, func(context.Context) (reading, error) {
					return reading{offset: c.host, uncertainty: time.Millisecond}, nil
				})
				b.sendFor(15*time.Second, c.skew)
				drift := b.records(wsevent.ClockDrift)[0]
				assert.Equal(t, c.want, text(drift, wsevent.ClockCulprit))
				assert.InDelta(t, c.host.Milliseconds(), number(t, drift, wsevent.ClockHostOffset), 0)
				assert.InDelta(t, c.host.Milliseconds(), number(t, b.records(wsevent.ClockSkew)[0], wsevent.ClockHostOffset), 0)
				require.NoError(t, b.Shutdown(t.Context()))
			})
		})
	}
}

func TestReference_WithoutResponseFaultIsUnknown(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		questions := 0
		b, host := withReference(t, time.Minute, func(context.Context) (reading, error) {
			questions++
			if questions == 1 {
				return reading{offset: time.Minute}, nil
			}
			return reading{}, errors.New("no answer")
		})
		b.sendFor(15*time.Second, -time.Minute)
		assert.Equal(t, "host", text(b.records(wsevent.ClockDrift)[0], wsevent.ClockCulprit))
		b.sendFor(5*time.Minute, -time.Minute)
		found := b.records(wsevent.ClockDrift)
		assert.Empty(t, text(found[len(found)-1], wsevent.ClockCulprit), "the last reading has expired")
		assert.Less(t, questions, 5, "a server that does not respond is queried less often")
		assert.Equal(t, 1, b.logs.FilterMessageSnippet("does not respond").Len())
		assert.Equal(t, int64(questions-1), mustSum(t, b, "otelcol_drift_reference_failures"))
		assert.Empty(t, host.events)
		require.NoError(t, b.Shutdown(t.Context()))
	})
}

func TestReference_HangDoesNotBlockEvents(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, _ := withReference(t, 0, func(ctx context.Context) (reading, error) {
			<-ctx.Done()
			return reading{}, ctx.Err()
		})
		b.sendFor(15*time.Second, time.Minute)
		assert.NotEmpty(t, b.records(wsevent.ClockDrift))
		require.NoError(t, b.Shutdown(t.Context()))
	})
}

func TestReference_IsQueriedEvery64Seconds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		questions := 0
		b, _ := withReference(t, 0, func(context.Context) (reading, error) {
			questions++
			return reading{}, nil
		})
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		assert.Equal(t, 10, questions)
		require.NoError(t, b.Shutdown(t.Context()))
	})
}

func TestReference_IsQueriedAsOftenAsRestartAfter(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		questions := 0
		b, _ := withReference(t, 10*time.Second, func(context.Context) (reading, error) {
			questions++
			return reading{}, nil
		})
		time.Sleep(59 * time.Second)
		synctest.Wait()
		assert.Equal(t, 6, questions)
		require.NoError(t, b.Shutdown(t.Context()))
	})
}

func TestRestartAfter_StopsTheCollector(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		begin := time.Now()
		b, host := withReference(t, 10*time.Minute, func(context.Context) (reading, error) {
			if time.Since(begin) < 5*time.Minute {
				return reading{}, nil
			}
			return reading{offset: time.Hour}, nil
		})
		time.Sleep(14 * time.Minute)
		synctest.Wait()
		assert.Empty(t, host.events)
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		require.Len(t, host.events, 1)
		event := <-host.events
		assert.Equal(t, componentstatus.StatusFatalError, event.Status())
		require.ErrorIs(t, event.Err(), errHostClock)
		require.ErrorContains(t, event.Err(), "host_offset: 1h0m0s")
		assert.Equal(t, 1, b.logs.FilterMessageSnippet("STOPPING THE COLLECTOR").Len())
		require.NoError(t, b.Shutdown(t.Context()))
	})
}

func TestRestartAfter_ClockWrongSinceStart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, host := withReference(t, 10*time.Minute, func(context.Context) (reading, error) {
			return reading{offset: time.Hour}, nil
		})
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		assert.Empty(t, host.events)
		assert.Equal(t, 1, b.logs.FilterMessageSnippet("misaligned since the start").Len())
		require.NoError(t, b.Shutdown(t.Context()))
	})
}

func TestRestartAfter_Off(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		first := true
		b, host := withReference(t, 0, func(context.Context) (reading, error) {
			defer func() { first = false }()
			if first {
				return reading{}, nil
			}
			return reading{offset: -time.Hour}, nil
		})
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		assert.Empty(t, host.events)
		assert.Equal(t, 1, b.logs.FilterMessageSnippet("Our own clock is misaligned").Len())
		require.NoError(t, b.Shutdown(t.Context()))
	})
}
