// Command gnark times gnark and gnark-crypto on the cases of the prover bench.
//
// Usage: gnark CASE SCALARS LOG_SIZE RUNS, where CASE is msm_g1, msm_g2, ntt, groth16, setup or verify and SCALARS is
// random, 8-bit or mixed. One warm-up run is not counted. Prints {"seconds": median, "peak_rss_mb": ..} as JSON.
package main

import (
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand"
	"os"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/consensys/gnark-crypto/ecc"
	"github.com/consensys/gnark-crypto/ecc/bn254"
	"github.com/consensys/gnark-crypto/ecc/bn254/fr"
	"github.com/consensys/gnark-crypto/ecc/bn254/fr/fft"
	"github.com/consensys/gnark/backend/groth16"
	"github.com/consensys/gnark/frontend"
	"github.com/consensys/gnark/frontend/cs/r1cs"
	"github.com/consensys/gnark/logger"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// median runs f once uncounted and then `runs` times.
func median(runs int, f func()) float64 {
	f()
	times := make([]float64, runs)
	for i := range times {
		runtime.GC()
		start := time.Now()
		f()
		times[i] = time.Since(start).Seconds()
	}
	slices.Sort(times)
	return times[runs/2]
}

// scalarVector makes n scalars: full-width, below 256, or three small ones for each full-width one.
func scalarVector(kind string, n int) []fr.Element {
	out := make([]fr.Element, n)
	rng := rand.New(rand.NewSource(1))
	for i := range out {
		if kind == "random" || (kind == "mixed" && i%4 == 0) {
			out[i].MustSetRandom()
		} else {
			out[i].SetUint64(uint64(rng.Intn(256)))
		}
	}
	return out
}

// squares is the bench circuit: m_0 = x_0^2, m_i = (m_{i-1} - k_{i-1})^2, so that constraint i squares x_i and every wire is as wide as its x_i.
type squares struct {
	X0  frontend.Variable
	Out frontend.Variable `gnark:",public"`
	K   []*big.Int        `gnark:"-"`
}

func (c *squares) Define(api frontend.API) error {
	x := c.X0
	for _, k := range c.K {
		x = api.Sub(api.Mul(x, x), k)
	}
	api.AssertIsEqual(x, c.Out)
	return nil
}

// witnessOf draws x_0..x_n and the constants that lead from each square to the next.
func witnessOf(kind string, n int) (x []*big.Int, k []*big.Int) {
	rng := rand.New(rand.NewSource(2))
	r := fr.Modulus()
	x = make([]*big.Int, n+1)
	for i := range x {
		if kind == "random" {
			x[i] = new(big.Int).Rand(rng, r)
		} else {
			x[i] = big.NewInt(int64(rng.Intn(16)))
		}
	}
	k = make([]*big.Int, n)
	for i := range k {
		square := new(big.Int).Mul(x[i], x[i])
		k[i] = square.Sub(square, x[i+1]).Mod(square, r)
	}
	return x, k
}

func bench(name, kind string, n, runs int) float64 {
	switch name {
	case "msm_g1", "msm_g2":
		scalars := scalarVector(kind, n)
		multiples := scalarVector("random", n)
		_, _, g1, g2 := bn254.Generators()
		config := ecc.MultiExpConfig{NbTasks: runtime.GOMAXPROCS(0)}
		if name == "msm_g1" {
			bases := bn254.BatchScalarMultiplicationG1(&g1, multiples)
			var out bn254.G1Jac
			return median(runs, func() { _, err := out.MultiExp(bases, scalars, config); check(err) })
		}
		bases := bn254.BatchScalarMultiplicationG2(&g2, multiples)
		var out bn254.G2Jac
		return median(runs, func() { _, err := out.MultiExp(bases, scalars, config); check(err) })
	case "ntt":
		values := scalarVector("random", n)
		domain := fft.NewDomain(uint64(n))
		return median(runs, func() { domain.FFT(values, fft.DIF, fft.WithNbTasks(runtime.GOMAXPROCS(0))) })
	}
	x, k := witnessOf(kind, n-1) // AssertIsEqual is the last constraint
	system, err := frontend.Compile(ecc.BN254.ScalarField(), r1cs.NewBuilder, &squares{K: k})
	check(err)
	if name == "setup" {
		return median(runs, func() { _, _, err := groth16.Setup(system); check(err) })
	}
	pk, vk, err := groth16.Setup(system)
	check(err)
	witness, err := frontend.NewWitness(&squares{X0: x[0], Out: x[n-1]}, ecc.BN254.ScalarField())
	check(err)
	if name == "groth16" {
		return median(runs, func() { _, err := groth16.Prove(system, pk, witness); check(err) })
	}
	public, err := witness.Public()
	check(err)
	proof, err := groth16.Prove(system, pk, witness)
	check(err)
	return median(runs, func() { check(groth16.Verify(proof, vk, public)) })
}

func main() {
	logger.Disable()
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: gnark CASE SCALARS LOG_SIZE RUNS")
		os.Exit(2)
	}
	logSize, err := strconv.Atoi(os.Args[3])
	check(err)
	runs, err := strconv.Atoi(os.Args[4])
	check(err)
	seconds := bench(os.Args[1], os.Args[2], 1<<logSize, runs)
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	check(json.NewEncoder(os.Stdout).Encode(map[string]float64{"seconds": seconds, "peak_rss_mb": float64(usage.Maxrss) / 1024}))
}
