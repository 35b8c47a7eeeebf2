// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Command ccaassim is a contact-centre platform simulator on loopback, for the quick
// start, tests and benchmarks. Its README documents the APIs it serves.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "ccaassim:", err)
		os.Exit(1) //nolint:gocritic // the deferred stop has no effect at exit
	}
}

// options are the flags.
type options struct {
	sim.Config
	exit, sink bool
}

func newOptions() *options {
	o := &options{Config: sim.DefaultConfig()}
	o.Listen = "127.0.0.1:8080"
	return o
}

func (o *options) flags(output io.Writer) *flag.FlagSet {
	set := flag.NewFlagSet("ccaassim", flag.ContinueOnError)
	set.SetOutput(output)
	o.RegisterFlags(set)
	set.BoolVar(&o.exit, "exit", o.exit, "exit once --events or --duration is reached, instead of serving GET /truth until a signal")
	set.BoolVar(&o.sink, "sink", o.sink, "print a line for every webhook that is POSTed to /sink")
	return set
}

// run serves until ctx is done, or with --exit until the traffic is complete.
func run(ctx context.Context, arguments []string, stdout, stderr io.Writer) error {
	o := newOptions()
	set := o.flags(stderr)
	if err := set.Parse(arguments); err != nil {
		return err
	}
	if set.NArg() > 0 {
		return fmt.Errorf("argument %q: only flags are accepted", set.Arg(0))
	}
	if o.sink {
		o.SinkLog = stdout
	}
	server, err := sim.Start(o.Config) //nolint:contextcheck // the server runs until Close, independent of ctx
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(stdout, "ccaassim serves %s\n", server.URL()); err != nil {
		return errors.Join(err, server.Close()) //nolint:contextcheck // as below
	}
	var done <-chan struct{}
	if o.exit {
		done = server.Done()
	}
	select {
	case <-ctx.Done():
	case <-done:
	}
	return server.Close() //nolint:contextcheck // ctx is done here
}
