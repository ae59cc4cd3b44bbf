//! Other films, spoilt otherwise.

use super::Labelled;

const VOICE: &str = "aevalsrc='0.3*sin(2*PI*(125*t+4*sin(2*PI*1.9*t)))*(0.5+0.5*sin(2*PI*2.6*t))\
    +0.14*sin(2*PI*(610*t+12*sin(2*PI*2.1*t)))*(0.5+0.5*sin(2*PI*3.4*t))+0.03*(random(1)-0.5)':s=48000";
/// As one walks slowly along a field.
const HELD: &str = "crop=360:640:'2+n*0.5':'34+5*sin(n/23)'";

const SCENES: [&str; 2] = [
    "testsrc=size=400x712:rate=15",
    "life=size=100x178:rate=15:ratio=0.35:random_seed=7:mold=20:death_color=#7a5a30:life_color=#f0e0b0,\
     scale=400:712:flags=bilinear,tmix=frames=8",
];

const PICTURES: [(&str, &str); 20] = [
    ("", HELD),
    ("", "crop=360:640:20:30,eq=brightness=0.05:saturation=1.3"),
    ("", "crop=360:640:'20+10*sin(n/30)':30,noise=alls=6:allf=t"),
    ("", "crop=360:640:20:30,eq=contrast=0.8:brightness=-0.03,vignette=a=PI/6"),
    ("dark", "crop=360:640:20:30,format=yuv420p,lutyuv=y='16+(val-16)*0.16'"),
    ("dark", "crop=360:640:'20+8*cos(n/25)':30,format=yuv420p,lutyuv=y='16+(val-16)*0.2'"),
    ("dark", "crop=360:640:20:30,format=yuv420p,lutyuv=y='20+(val-16)*0.10',noise=alls=5:allf=t"),
    (
        "backlit",
        "crop=360:640:20:30,format=yuv420p,lutyuv=y='190+val/6',drawbox=x=100:y=180:w=160:h=460:color=0x2a2a2a@0.9:t=fill",
    ),
    (
        "backlit",
        "crop=360:640:'20+6*sin(n/20)':30,format=yuv420p,lutyuv=y='165+val/4',\
         drawbox=x=80:y=240:w=200:h=400:color=0x3a2f28@0.92:t=fill",
    ),
    ("shaky", "crop=360:640:'20+13*sin(n*2.1)+5*sin(n*1.3)':'36+13*cos(n*1.8)'"),
    ("shaky", "crop=360:640:'20+18*sin(n*1.6)':'36+16*sin(n*2.2)'"),
    ("shaky", "crop=360:640:'20+8*sin(n*2.7)':'36+18*cos(n*2.1)'"),
    ("blurred", "crop=360:640:20:30,boxblur=6:2"),
    ("blurred", "crop=360:640:'20+10*sin(n/30)':30,avgblur=9"),
    ("blurred", "crop=360:640:20:30,gblur=sigma=6,noise=alls=3:allf=t"),
    ("frozen", "crop=360:640:12:44,select='eq(n,3)',loop=loop=-1:size=1:start=0,setpts=N/15/TB"),
    ("frozen", "crop=360:640:30:20,select='eq(n,9)',loop=loop=-1:size=1:start=0,setpts=N/15/TB"),
    ("black", "crop=360:640:20:30,format=yuv420p,lutyuv=y=17:u=128:v=128"),
    ("black", "crop=360:640:20:30,format=yuv420p,lutyuv=y='16+(val-16)/90':u=128:v=128"),
    ("sideways", "crop=384:288:8:200"),
];

/// All of them.
pub fn films() -> Vec<Labelled> {
    let pictures = SCENES.iter().flat_map(|scene| {
        PICTURES.iter().map(move |(label, spoilt)| (*label, format!("{scene},{spoilt}"), VOICE.to_owned()))
    });
    let heard = sounds().into_iter().map(|(label, sound)| (label, format!("{},{HELD}", SCENES[0]), sound));
    pictures.chain(heard).collect()
}

fn sounds() -> Vec<(&'static str, String)> {
    let drum = "0.5*sin(2*PI*62*mod(t,0.6))*exp(-6*mod(t,0.6))+0.2*(random(2)-0.5)*exp(-30*mod(t+0.3,0.6))";
    let music = format!("aevalsrc='{drum}+0.12*sin(2*PI*294*t)*exp(-3*mod(t,0.6))+0.1*sin(2*PI*440*t)':s=48000");
    let street = "anoisesrc=a=0.04:c=white:r=48000:seed=3,lowpass=f=3000";
    let gusts = "anoisesrc=a=0.8:c=brown:r=48000:seed=5,lowpass=f=120,tremolo=f=0.5:d=0.4,volume=9dB";
    let over = |voice: &str, other: &str| format!("{voice}[a];{other}[b];[a][b]amix=inputs=2:normalize=0");
    vec![
        ("", format!("{VOICE},volume=-9dB")),
        ("", format!("{VOICE},volume=3dB")),
        ("", music.clone()),
        ("", over(&format!("{VOICE},volume=-4dB"), street)),
        ("", over(&format!("{VOICE},volume=-4dB"), &format!("{music},volume=-8dB"))),
        ("silent", "anoisesrc=a=0.0006:c=brown:r=48000:seed=9".to_owned()),
        ("silent", format!("{VOICE},volume=-62dB")),
        ("silent", "anullsrc=r=48000:cl=stereo".to_owned()),
        ("clipped", format!("{VOICE},volume=14dB,aformat=s16,aformat=fltp")),
        ("clipped", format!("{VOICE},volume=19dB,aformat=s16,aformat=fltp")),
        ("clipped", format!("{music},volume=18dB,aformat=s16,aformat=fltp")),
        ("windy", gusts.to_owned()),
        ("windy", over(&format!("{VOICE},volume=-16dB"), gusts)),
        (
            "windy",
            over(&format!("{VOICE},volume=-12dB"), "anoisesrc=a=0.9:c=brown:r=48000:seed=11,lowpass=f=70,volume=11dB"),
        ),
    ]
}
