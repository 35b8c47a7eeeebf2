// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package reload

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/collector/otelcol"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/configcheck"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/doctor"
)

// ErrFatal is the error of a Collector that ended although nobody stopped it: a component
// has reported a fatal error, which the log has. A supervisor starts it again.
var ErrFatal = errors.New("a component has reported a fatal error; the log has it")

// ExitFatal is the exit status of a process with ErrFatal: EX_TEMPFAIL of sysexits.h. A
// process that does not start ends with 1.
const ExitFatal = 75

// Run executes the command line of the distribution: the Collector's commands and others.
func Run(set otelcol.CollectorSettings, others ...*cobra.Command) error {
	record := newRecord()
	log := &currentLogger{}
	resolver := &set.ConfigProviderSettings.ResolverSettings
	resolver.ProviderFactories = record.wrap(resolver.ProviderFactories)
	// An error names what is wrong and where; a stack trace of the goroutine that logs it is not useful.
	noStack := zap.AddStacktrace(zap.LevelEnablerFunc(func(zapcore.Level) bool { return false }))
	set.LoggingOptions = append(set.LoggingOptions, zap.WrapCore(log.capture), noStack)
	check := configcheck.Watch(&set)

	command := otelcol.NewCommand(set)
	command.AddCommand(others...)
	if validate := subcommand(command, "validate"); validate != nil {
		command.AddCommand(doctor.NewCommand(validate, check))
		explainValidate(validate, check)
	}
	start := command.RunE
	command.RunE = func(command *cobra.Command, args []string) error {
		hangup, terminate := make(chan os.Signal, 1), make(chan os.Signal, 1)
		signal.Notify(hangup, syscall.SIGHUP)
		signal.Notify(terminate, os.Interrupt, syscall.SIGTERM)
		defer signal.Stop(hangup)
		defer signal.Stop(terminate)
		s := &supervisor{
			start: func(ctx context.Context) error {
				command.SetContext(ctx)
				return check.Explain(start(command, args))
			},
			check:     checkInChild,
			record:    record,
			log:       log.get,
			hangup:    hangup,
			terminate: terminate,
			// Ignore removes the Collector's own registration, too. Without it, the
			// Collector would shut its service down before it reads the new configuration.
			capture: func() {
				signal.Ignore(syscall.SIGHUP)
				signal.Notify(hangup, syscall.SIGHUP)
			},
		}
		return s.run(command.Context())
	}
	return command.Execute()
}

// subcommand returns a command by its name; nil: there is none.
func subcommand(root *cobra.Command, name string) *cobra.Command {
	for _, command := range root.Commands() {
		if command.Name() == name {
			return command
		}
	}
	return nil
}

// explainValidate makes the validate command suggest keys, print warnings and check
// what the Collector checks only at start.
func explainValidate(command *cobra.Command, check *configcheck.Checker) {
	strict := command.Flags().Bool("strict", false, "Exit with an error where there are warnings")
	validate := command.RunE
	command.RunE = func(command *cobra.Command, args []string) error {
		if err := validate(command, args); err != nil {
			for _, warning := range check.Unset() { // often the reason
				command.PrintErrln("Warning:", warning)
			}
			return check.Explain(err)
		}
		warnings := check.Warnings()
		for _, warning := range warnings {
			command.PrintErrln("Warning:", warning)
		}
		if err := check.Problems(); err != nil {
			return err
		}
		if *strict && len(warnings) > 0 {
			return fmt.Errorf("%d warning(s), and --strict is set", len(warnings))
		}
		return nil
	}
}

// supervisor runs one Collector after another, each with the configuration of its time.
type supervisor struct {
	start     func(context.Context) error // runs a Collector until it ends
	check     func(context.Context) error // validates the configuration as it is now
	record    *record
	log       func() *zap.Logger
	hangup    <-chan os.Signal
	terminate <-chan os.Signal
	capture   func() // takes SIGHUP from the Collector
}

// outcome is how a Collector ended.
type outcome struct {
	err     error
	running bool // it had started
	reload  bool // it was stopped in favour of a new configuration
}

// run returns when a Collector ends for another reason than a reload. A new
// configuration that does not start is replaced by the previous one.
func (s *supervisor) run(ctx context.Context) error {
	reloaded := false
	for {
		end := s.once(ctx)
		switch {
		case end.reload:
			if end.err != nil {
				s.log().Warn("Shutdown of the previous configuration reported errors", zap.Error(end.err))
			}
			s.record.forget()
			reloaded = true
		case end.err != nil && !end.running && reloaded && s.record.restore():
			s.log().Error("New configuration did not start; the previous one is started again", zap.Error(end.err))
			reloaded = false
		default:
			return end.err
		}
	}
}

// terminated reports whether a signal has ended the Collector, which receives it, too.
func (s *supervisor) terminated() bool {
	select {
	case <-s.terminate:
		return true
	default:
		return false
	}
}

// once runs one Collector.
func (s *supervisor) once(parent context.Context) outcome {
	stop, running := make(chan struct{}), make(chan struct{})
	ctx := &runContext{Context: parent, stop: stop, onLoop: sync.OnceFunc(func() {
		s.capture()
		close(running)
	})}
	ended := make(chan error, 1)
	go func() { ended <- s.start(ctx) }() //nolint:contextcheck // ctx carries the parent

	checkCtx, cancelCheck := context.WithCancel(context.WithoutCancel(parent))
	defer cancelCheck()
	checked := make(chan error, 1)
	var end outcome
	var hangup <-chan os.Signal // nil while starting, checking or stopping
	stopping := false
	begin := func() {
		hangup = nil
		select {
		case <-s.hangup: // it asks for the same
		default:
		}
		go func() { checked <- s.check(checkCtx) }()
	}
	for {
		select {
		case end.err = <-ended:
			select {
			case <-running:
				end.running = true
			default:
			}
			if end.err == nil && end.running && !stopping && !s.terminated() {
				end.err = ErrFatal
			}
			return end
		case <-running:
			s.record.commit()
			running, end.running = nil, true
			switch {
			case stopping:
			case s.record.changed(parent): // SIGHUP at the moment at which capture takes it from the Collector is lost
				s.log().Info("Configuration has changed while the Collector started; validating it")
				begin()
			default:
				hangup = s.hangup
			}
		case <-hangup:
			s.log().Info("Received SIGHUP; validating the configuration")
			begin()
		case err := <-checked:
			switch {
			case stopping:
			case err != nil:
				s.log().Error("Configuration not reloaded: it is not valid, and the previous one stays in force", zap.Error(err))
				hangup = s.hangup
			default:
				s.log().Info("Configuration is valid; restarting the pipelines with it")
				end.reload, stopping = true, true
				close(stop)
			}
		case <-s.terminate:
			// A Collector that runs receives the signal itself. One that starts does not yet.
			if end.reload = false; !stopping {
				stopping, hangup = true, nil
				if !end.running {
					close(stop)
				}
			}
		}
	}
}
