// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package reload

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// fixture is a supervisor whose Collectors are functions of the test.
type fixture struct {
	*supervisor

	hangup, terminate chan os.Signal
	logs              *observer.ObservedLogs
	provider          confmap.Provider
	text              string // of the configuration
	invalid           error  // what the check returns
	running           chan string
	fail              map[string]error // configurations that do not start
	starting          func()           // between reading the configuration and running
	end               chan error
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	f := &fixture{
		hangup: make(chan os.Signal, 1), terminate: make(chan os.Signal, 1), logs: logs, text: "first", starting: func() {},
		running: make(chan string, 10), fail: map[string]error{}, end: make(chan error),
	}
	record := newRecord()
	f.provider = record.wrap([]confmap.ProviderFactory{confmap.NewProviderFactory(func(confmap.ProviderSettings) confmap.Provider {
		return textProvider{text: &f.text}
	})})[0].Create(confmap.ProviderSettings{})
	f.supervisor = &supervisor{
		start: f.collect, check: func(context.Context) error { return f.invalid }, record: record,
		log: func() *zap.Logger { return zap.New(core) }, hangup: f.hangup, terminate: f.terminate, capture: func() {},
	}
	return f
}

// collect is a Collector: it reads its configuration, runs and ends.
func (f *fixture) collect(ctx context.Context) error {
	run := ctx.(*runContext)
	retrieved, err := f.provider.Retrieve(ctx, "text:", nil)
	if err != nil {
		return err
	}
	raw, err := retrieved.AsRaw()
	if err != nil {
		return err
	}
	if err := f.fail[raw.(string)]; err != nil {
		return err
	}
	f.starting()
	run.onLoop()
	f.running <- raw.(string)
	select {
	case <-run.stop:
		return nil
	case err := <-f.end:
		return err
	}
}

type textProvider struct{ text *string }

func (p textProvider) Retrieve(context.Context, string, confmap.WatcherFunc) (*confmap.Retrieved, error) {
	return confmap.NewRetrieved(*p.text)
}
func (textProvider) Scheme() string                 { return "text" }
func (textProvider) Shutdown(context.Context) error { return nil }

func TestSupervisor_Reload(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text    string
		invalid error
		fail    error
		runs    []string // the configurations that run, one after the other
		logs    string
	}{
		"valid":          {text: "second", runs: []string{"first", "second"}, logs: "Configuration is valid"},
		"invalid":        {text: "second", invalid: errors.New("no such key"), runs: []string{"first"}, logs: "Configuration not reloaded"},
		"does not start": {text: "second", fail: errors.New("port in use"), runs: []string{"first", "first"}, logs: "New configuration did not start"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				ended := make(chan error, 1)
				go func() { ended <- f.run(t.Context()) }()
				synctest.Wait()
				f.text, f.invalid, f.fail["second"] = test.text, test.invalid, test.fail
				f.hangup <- syscall.SIGHUP
				synctest.Wait()
				assert.Equal(t, 1, f.logs.FilterMessageSnippet(test.logs).Len(), "%v", f.logs.All())
				for _, want := range test.runs {
					assert.Equal(t, want, <-f.running)
				}
				assert.Empty(t, f.running)

				f.text, f.invalid, f.fail = "third", nil, map[string]error{}
				f.hangup <- syscall.SIGHUP
				synctest.Wait()
				assert.Equal(t, "third", <-f.running, "a later reload reads the configuration anew")
				f.end <- errors.New("asynchronous error")
				require.EqualError(t, <-ended, "asynchronous error")
			})
		})
	}
}

// SIGHUP of this time may be lost, or reach the Collector as well.
func TestSupervisor_ConfigurationChangesWhileStarting(t *testing.T) {
	t.Parallel()
	for name, signal := range map[string]bool{"the signal is lost": false, "the signal arrives": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				f.starting = func() {
					f.starting = func() {}
					f.text = "second"
					if signal {
						f.hangup <- syscall.SIGHUP
					}
				}
				ended := make(chan error, 1)
				go func() { ended <- f.run(t.Context()) }()
				assert.Equal(t, "first", <-f.running)
				assert.Equal(t, "second", <-f.running)
				synctest.Wait()
				assert.Empty(t, f.running, "it is reloaded once")
				f.end <- errors.New("asynchronous error")
				require.EqualError(t, <-ended, "asynchronous error")
			})
		})
	}
}

// A Collector that receives SIGHUP itself reads its configuration before anyone has validated it.
func TestRecord_RunningCollectorReadsTheConfigurationInForce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	read := func() any {
		retrieved, err := f.provider.Retrieve(t.Context(), "text:", nil)
		require.NoError(t, err)
		raw, err := retrieved.AsRaw()
		require.NoError(t, err)
		return raw
	}
	assert.Equal(t, "first", read())
	assert.False(t, f.record.changed(t.Context()))
	f.record.commit()
	f.text = "second"
	assert.Equal(t, "first", read())
	assert.True(t, f.record.changed(t.Context()))
	f.record.forget()
	assert.Equal(t, "second", read())
	f.record.restore() // it did not start
	assert.Equal(t, "first", read())
	assert.False(t, f.record.changed(t.Context()), "what did not start is not tried again")
}

func TestSupervisor_FirstStartFails(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.fail["first"] = errors.New("port in use")
	require.EqualError(t, f.run(t.Context()), "port in use")
}

func TestSupervisor_EndsWithoutBeingStopped(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		signal bool
		want   error
	}{"a component's fatal error": {want: ErrFatal}, "a signal": {signal: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				ended := make(chan error, 1)
				go func() { ended <- f.run(t.Context()) }()
				synctest.Wait()
				if test.signal {
					f.terminate <- syscall.SIGTERM
				}
				f.end <- nil
				require.ErrorIs(t, <-ended, test.want)
			})
		})
	}
}

func TestSupervisor_TerminateWhileValidating(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		release := make(chan struct{})
		f.check = func(context.Context) error { <-release; return nil }
		ended := make(chan error, 1)
		go func() { ended <- f.run(t.Context()) }()
		synctest.Wait()
		f.hangup <- syscall.SIGHUP
		synctest.Wait()
		f.terminate <- syscall.SIGTERM // the Collector receives it as well
		synctest.Wait()
		close(release)
		synctest.Wait()
		assert.Len(t, f.running, 1, "nothing is reloaded any more")
		f.end <- nil
		require.NoError(t, <-ended)
	})
}

func TestSupervisor_TerminateWhileStarting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.start = func(ctx context.Context) error { <-ctx.(*runContext).stop; return nil }
		ended := make(chan error, 1)
		go func() { ended <- f.run(t.Context()) }()
		synctest.Wait()
		f.terminate <- syscall.SIGTERM
		require.NoError(t, <-ended)
	})
}

// Components see a context that never ends.
func TestRunContext_DoneIsForTheControlLoopAlone(t *testing.T) {
	t.Parallel()
	stop := make(chan struct{})
	close(stop)
	ctx := &runContext{Context: context.Background(), stop: stop, onLoop: func() { t.Error("not the control loop") }}
	assert.Nil(t, ctx.Done())
	derived, cancel := context.WithCancel(ctx)
	defer cancel()
	require.NoError(t, derived.Err())
}

func TestLimitedBuffer(t *testing.T) {
	t.Parallel()
	var b limitedBuffer
	for range 3 {
		n, err := b.Write(make([]byte, maxOutput-1))
		require.NoError(t, err)
		assert.Equal(t, maxOutput-1, n)
	}
	assert.Equal(t, maxOutput, b.Len())
}
