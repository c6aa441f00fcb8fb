pragma circom 2.0.0;
template Toy(n) {
    signal input secret[n];
    signal input offset;
    signal output sum;
    signal output root;
    signal squares[n];
    signal acc[n+1];
    acc[0] <== offset * offset;
    for (var i = 0; i < n; i++) {
        squares[i] <== secret[i] * secret[i];
        acc[i+1] <== acc[i] + squares[i] * secret[i];
    }
    sum <== acc[n];
    root <== secret[0] * offset;
}
component main {public [offset]} = Toy(6);
