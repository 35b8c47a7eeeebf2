// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wswindowprocessor

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/state"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/window"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// writeSample writes the state of this version to testdata/state. A version's sample is
// written once, when the version is new, and never changes.
var writeSample = flag.String("write-sample", "", "write testdata/state/`NAME`.json")

// sampleWindows are the windows that follow from every sample.
const sampleWindows = "testdata/windows.json"

// sampleStart is the start of a window, unix ms.
const sampleStart = 1_715_623_200_000

func sampleConfig() window.Config {
	config := createDefaultConfig().(*Config).window()
	config.TrackChanges = true
	config.SeriesTTL = time.Hour
	config.MaxSeriesPerTenant = 3
	return config
}

func sampleGroup(tenant, region, channelType string, defaulted window.Dimensions, events ...window.Event) window.Group {
	return window.Group{
		Tags:      wsevent.Tags{TenantID: tenant, Region: region, ChannelType: channelType},
		Defaulted: defaulted, Events: events,
	}
}

// sampleBefore observes what is in the state: every kind of event, an expired series, one
// past the tenant's limit, open windows, open and closed channels, connections that are down.
func sampleBefore(e *window.Engine) {
	at := int64(sampleStart)
	e.ObserveFrom("ccaas_ws/0", []window.Group{
		sampleGroup("acme", "us-east-1", wsevent.Unknown, 0, window.Event{Kind: window.Connected, Time: at, Observed: at, Every: 10_000}),
		sampleGroup("acme", "us-east-1", "fax", 0, window.Event{Kind: window.MessageSend, Time: at, Observed: at + 5, Bytes: 10}),
	}, at+5)
	e.Drain()
	at += 2 * time.Hour.Milliseconds()
	platform := func(kind window.Kind, offset int64, channel uint64) window.Event {
		return window.Event{Kind: kind, Time: at + offset + 40, Observed: at + offset, Channel: channel, Bytes: 100 * int64(channel)}
	}
	sized, abnormal, unclassified := platform(window.MessageReceive, 700, 1), platform(window.ConnectionClose, 900, 2), platform(window.ConnectionClose, 950, 3)
	sized.Unknown, abnormal.Abnormal, unclassified.Unknown = true, true, true
	e.ObserveFrom("ccaas_ws/0", []window.Group{
		sampleGroup("acme", "us-east-1", wsevent.Unknown, 0,
			window.Event{Kind: window.Alive, Time: at, Observed: at, Every: 10_000},
			window.Event{Kind: window.Skew, Time: at, Observed: at, Skew: 40.5},
			window.Event{Kind: window.Gap, Time: at + 12_000, Observed: at + 13_000, GapEnd: at + 12_500},
			window.Event{Kind: window.Violation, Time: at + 100, Observed: at + 100},
			window.Event{Kind: window.Backpressure, Time: at + 200, Observed: at + 200}),
		sampleGroup("acme", "us-east-1", "webmessaging", 0,
			platform(window.ConnectionOpen, 300, 1), platform(window.ConnectionOpen, 400, 2), platform(window.ConnectionOpen, 500, 3),
			platform(window.MessageSend, 600, 1), sized, platform(window.MessageReceive, 800, 2), abnormal, unclassified),
		sampleGroup("acme", "us-east-1", "voice", 0, platform(window.ConnectionOpen, 1_000, 4)),
		sampleGroup("acme", "us-east-1", "email", 0, platform(window.MessageSend, 1_100, 5)),
		sampleGroup("globex", "eu-west-1", "webmessaging", window.Region,
			platform(window.ConnectionOpen, 300, 11), platform(window.MessageReceive, 9_500, 12)),
		sampleGroup("globex", "eu-west-1", wsevent.Unknown, 0,
			window.Event{Kind: window.Connected, Socket: 1, Time: at, Observed: at},
			window.Event{Kind: window.Disconnected, Socket: 1, Time: at + 10_000, Observed: at + 10_000}),
	}, at+20_000)
	e.Advance(at + 20_000)
}

func sampleBetween(e *window.Engine) {
	at := sampleStart + 2*time.Hour.Milliseconds() + 21_000
	e.ObserveFrom("ccaas_ws/0", []window.Group{
		sampleGroup("acme", "us-east-1", "webmessaging", 0,
			window.Event{Kind: window.ConnectionOpen, Time: at, Observed: at, Channel: 6},
			window.Event{Kind: window.ConnectionClose, Time: at + 500, Observed: at + 600, Channel: 1},
			window.Event{Kind: window.MessageSend, Time: at - 60_000, Observed: at + 700, Channel: 6, Bytes: 7}),
	}, at+1_000)
}

const sampleSavedAt = sampleStart + 7_200_000 + 23_000

// sampleAfter gives the windows that follow from the restored state.
func sampleAfter(e *window.Engine) []wsevent.Window {
	at := int64(sampleSavedAt + 5_000)
	e.Resume(sampleSavedAt, at)
	windows := e.Drain()
	for range 8 {
		e.ObserveFrom("ccaas_ws/0", []window.Group{
			sampleGroup("acme", "us-east-1", wsevent.Unknown, 0, window.Event{Kind: window.Alive, Time: at, Observed: at, Every: 10_000}),
			sampleGroup("acme", "us-east-1", "webmessaging", 0,
				window.Event{Kind: window.MessageSend, Time: at, Observed: at, Channel: 6, Bytes: 1},
				window.Event{Kind: window.ConnectionClose, Time: at, Observed: at, Channel: 2, Abnormal: true}),
			sampleGroup("acme", "us-east-1", "fax", 0, window.Event{Kind: window.MessageSend, Time: at, Observed: at, Channel: 7}),
			sampleGroup("globex", "eu-west-1", "webmessaging", 0, window.Event{Kind: window.MessageSend, Time: at, Observed: at, Channel: 11, Bytes: 3}),
		}, at+100)
		e.Delivered("ccaas_ws/0", at+100, at+100)
		e.Advance(at + 100)
		windows = append(windows, e.Drain()...)
		at += 8_000
	}
	return windows
}

// State that any version has written leads to the same windows.
func TestRestore_EveryVersionsSample(t *testing.T) {
	t.Parallel()
	if *writeSample != "" {
		d, e := owntest.NewStorage(), window.New(sampleConfig())
		store := newCheckpointStore(state.NewStore(d, "disk", zap.NewNop(), nil))
		sampleBefore(e)
		waiting := encode(e.Drain(), nil, time.UnixMilli(sampleSavedAt))
		require.NoError(t, store.write(t.Context(), store.collect(e, false, sampleSavedAt-2_000), plog.NewLogs()))
		sampleBetween(e)
		require.NoError(t, store.write(t.Context(), store.collect(e, false, sampleSavedAt), waiting))
		text, err := json.MarshalIndent(d.Data(), "", " ")
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll("testdata/state", 0o750))
		require.NoError(t, os.WriteFile(filepath.Join("testdata/state", *writeSample+".json"), append(text, '\n'), 0o600))
	}
	require.FileExists(t, fmt.Sprintf("testdata/state/%d.json", window.Version), "run go test -run EveryVersionsSample . -write-sample <version>")
	samples, err := filepath.Glob("testdata/state/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, samples)
	for _, sample := range samples {
		t.Run(filepath.Base(sample), func(t *testing.T) {
			t.Parallel()
			d, e := owntest.NewStorage(), window.New(sampleConfig())
			text, err := os.ReadFile(sample)
			require.NoError(t, err)
			sample := map[string][]byte{}
			require.NoError(t, json.Unmarshal(text, &sample))
			for key, value := range sample {
				d.Put(key, value)
			}
			core, logs := observer.New(zap.ErrorLevel)
			found, err := newCheckpointStore(state.NewStore(d, "disk", zap.New(core), nil)).restore(t.Context(), e)
			require.NoError(t, err)
			assert.Empty(t, logs.All())
			assert.Equal(t, int64(sampleSavedAt), found.savedAt)
			got, err := json.MarshalIndent(struct {
				Waiting int
				Windows []wsevent.Window
				Stats   window.Stats
			}{found.waiting.LogRecordCount(), sampleAfter(e), e.Stats()}, "", " ")
			require.NoError(t, err)
			if *writeSample != "" {
				require.NoError(t, os.WriteFile(sampleWindows, append(got, '\n'), 0o600))
			}
			want, err := os.ReadFile(sampleWindows)
			require.NoError(t, err)
			assert.JSONEq(t, string(want), string(got))
		})
	}
}
