// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/metadata"
	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// patience is how long a test waits for what must happen. It takes no time where it happens,
// and a machine may be slow.
const patience = time.Minute

// downstream is a consumer that records batches, and refuses on request.
type downstream struct {
	mutex   sync.Mutex
	batches []plog.Logs
	all     []taken // records of the batches, which tests look at often
	offers  int
	refuse  error         // what to answer, while set
	hold    chan struct{} // to be closed before anything is taken, while set
}

func (d *downstream) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (d *downstream) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	d.mutex.Lock()
	d.offers++
	refuse, hold := d.refuse, d.hold
	d.mutex.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if refuse != nil {
		return refuse
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.batches = append(d.batches, logs)
	d.all = append(d.all, recordsOf(logs)...)
	return nil
}

func (d *downstream) answer(refuse error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.refuse = refuse
}

func (d *downstream) offered() int {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.offers
}

// taken is one record with what is on its resource.
type taken struct {
	plog.LogRecord
	tenant, region, channelType string
}

func (r taken) text(name string) string {
	return str(r.Attributes(), name)
}

func (r taken) integer(t testing.TB, name string) int64 {
	t.Helper()
	value, ok := r.Attributes().Get(name)
	require.True(t, ok, name)
	return value.Int()
}

// records are those taken so far, in their order; of the names given, or all.
func (d *downstream) records(names ...string) []taken {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if len(names) == 0 {
		return slices.Clone(d.all)
	}
	var of []taken
	for _, r := range d.all {
		if slices.Contains(names, r.EventName()) {
			of = append(of, r)
		}
	}
	return of
}

func recordsOf(logs plog.Logs) []taken {
	var all []taken
	for _, resource := range logs.ResourceLogs().All() {
		attributes := resource.Resource().Attributes()
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				all = append(all, taken{
					LogRecord: record, tenant: str(attributes, wsevent.TenantID),
					region: str(attributes, wsevent.Region), channelType: str(attributes, wsevent.ChannelType),
				})
			}
		}
	}
	return all
}

func str(attributes pcommon.Map, name string) string {
	value, ok := attributes.Get(name)
	if !ok {
		return ""
	}
	return value.AsString()
}

// events are the names of the records of a platform's own events.
func events() []string {
	return []string{wsevent.ConnectionOpen, wsevent.ConnectionClose, wsevent.MessageSend, wsevent.MessageReceive}
}

// wait waits until downstream has a record of each name given, as often as given.
func (d *downstream) wait(t testing.TB, names ...string) {
	t.Helper()
	require.Eventually(t, func() bool {
		missing := slices.Clone(names)
		for _, record := range d.records() {
			if at := slices.Index(missing, record.EventName()); at >= 0 {
				missing = slices.Delete(missing, at, at+1)
			}
		}
		return len(missing) == 0
	}, patience, 5*time.Millisecond, "records of %v", names)
}

// bench is a receiver under test, with all that it says.
type bench struct {
	*wsReceiver
	downstream *downstream
	host       *owntest.Host
	logs       *observer.ObservedLogs
	telemetry  *componenttest.Telemetry
}

const (
	secret   = "hush-9f3c"
	clientID = "someone"
)

// configFor is a configuration for a platform at an address, in a hurry.
func configFor(url string) *Config {
	config := createDefaultConfig().(*Config)
	config.Endpoint = url
	config.TenantID = "acme_corp"
	config.Region = "eu-west-1"
	config.OAuth2.ClientID, config.OAuth2.ClientSecret = clientID, secret
	config.Reconnect.InitialInterval, config.Reconnect.MaxInterval = 5*time.Millisecond, 40*time.Millisecond
	config.Batch.Timeout = 5 * time.Millisecond
	return config
}

// newBench makes a receiver, without starting it.
func newBench(t testing.TB, config *Config) *bench {
	t.Helper()
	require.NoError(t, config.Validate())
	core, logs := observer.New(zapcore.DebugLevel)
	b := &bench{downstream: &downstream{}, host: owntest.NewHost(nil), logs: logs, telemetry: componenttest.NewTelemetry()}
	set := receivertest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = b.telemetry.NewTelemetrySettings()
	set.Logger = zap.New(core)
	made, err := newReceiver(set, config, b.downstream)
	require.NoError(t, err)
	b.wsReceiver = made
	return b
}

// plainDecode is the decode function of an API whose frames hold JSON events.
func plainDecode(decoder *jsonevent.Decoder) api.Decode {
	return func(text []byte, _ time.Time, to jsonevent.Sink) { decoder.Decode(text, to) }
}

// run starts a receiver for the length of a test, and checks that no secret
// was logged.
func run(t testing.TB, config *Config) *bench {
	t.Helper()
	b := newBench(t, config)
	require.NoError(t, b.Start(t.Context(), b.host))
	t.Cleanup(func() {
		require.NoError(t, b.Shutdown(context.Background()))
		for _, entry := range b.logs.All() {
			require.NotContains(t, fmt.Sprint(entry.Message, entry.ContextMap()), secret)
		}
	})
	return b
}

// platform runs a simulator for the length of a test: silent, unless changed.
func platformFor(t testing.TB, change func(*sim.Config)) *sim.Server {
	t.Helper()
	config := sim.DefaultConfig()
	config.Silent = true
	config.ClientID, config.ClientSecret = clientID, secret
	if change != nil {
		change(&config)
	}
	server, err := sim.Start(config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	return server
}

func waitConnected(t testing.TB, server *sim.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, server.WaitConnected(ctx))
}

var errRefused = errors.New("downstream is full")
